"""A run does nothing twice, and says what `generate` says."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import sweep as sweep_benchmark
from benchmarks.counting import Work, counted
from pruneviz import get_method, list_methods
from pruneviz.engine import Session, Settings, sweep
from pruneviz.engine import guessing as guessing_module
from pruneviz.engine.feeding import after_prompt, block
from pruneviz.engine.guessing import guess
from pruneviz.methods.registry import METHODS
from tests.engine.alone import generate

QUESTIONS = ("Where is the cat?", "Describe everything in the picture.")
SHORT = Settings(max_new_tokens=6, signals=False)
LONG = Settings(max_new_tokens=10, signals=False)
WHOLE = Settings(max_new_tokens=6)
IN_LLM = [name for name, cls in METHODS.items() if cls().stages()[0].layer > 0]
CERTAIN = threading.Event()


def method(session: Session, name: str, ratio: float) -> Any:
    return get_method(name, num_layers=session.num_layers, keep_ratio=ratio)


def working(session: Session) -> Any:
    return counted(session.loaded.adapter.decoder(session.loaded.model))


def alone(session: Session, prepared: Any, chosen: Any, settings: Settings) -> Any:
    """The plain measured run."""
    seen = session.seen_for(prepared, chosen)
    return generate(session.loaded, seen, chosen, settings, lambda _: None, CERTAIN)


def guessed(session: Session, prepared: Any, chosen: Any, settings: Settings, tokens: Any) -> Any:
    """The answer by a guess, and what is predicted for the guessed tokens."""
    seen = session.seen_for(prepared, chosen)
    with torch.no_grad(), block(session.loaded, seen, chosen) as run:
        run.let_several_follow()
        return guess(session.loaded, seen, settings, tokens, CERTAIN)


def forced(session: Session, prepared: Any, chosen: Any, tokens: Any) -> np.ndarray:
    """What is predicted for some tokens, fed one by one."""
    model, seen = session.loaded.model, session.seen_for(prepared, chosen)
    with torch.no_grad(), block(session.loaded, seen, chosen):
        out = model(**seen.inputs, use_cache=True, logits_to_keep=1)
        rows = [out.logits[0, -1]]
        for place, token in enumerate(tokens[:-1]):
            step = after_prompt(seen.inputs, place, [token])
            rows.append(model(**step, past_key_values=out.past_key_values).logits[0, -1])
    return torch.stack(rows).float().numpy()


@contextmanager
def penalty(session: Session, value: float) -> Iterator[None]:
    config = session.loaded.model.generation_config
    before, config.repetition_penalty = config.repetition_penalty, value
    try:
        yield
    finally:
        config.repetition_penalty = before


@pytest.mark.parametrize("repetition", [1.0, 1.6])
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", ["transprune", "fastv", "random", "tome"])
def test_a_guessed_answer_is_the_generated_one(
    session, picture, name, question, repetition
) -> None:
    """Whatever is guessed: the baseline's answer, its beginning, more than it, or nonsense."""
    with penalty(session, repetition):
        prepared = session.prepare(picture, question)
        base = generate(session.loaded, prepared, None, LONG, lambda _: None, CERTAIN)
        tokens = list(base.answer.token_ids)
        for ratio in (0.4, 0.03):
            chosen = method(session, name, ratio)
            wanted = alone(session, prepared, chosen, LONG).answer.token_ids
            for told in (tokens, tokens[:2], [*wanted[:-1], 7, 9, 11], [9] * 5):
                answer, logits = guessed(session, prepared, chosen, LONG, told)
                assert answer.tokens == wanted
                assert len(logits) == len(told)
                assert len(answer.logits) == len(wanted)
            found = guessed(session, prepared, chosen, LONG, tokens)[1]
            assert np.allclose(found, forced(session, prepared, chosen, tokens), atol=2e-4)


@pytest.mark.parametrize("name", ["random", "fastv"])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_guess_ends_where_the_answer_may(session, picture, name, most) -> None:
    """At `max_new_tokens`, however much was guessed."""
    prepared, chosen = session.prepare(picture, QUESTIONS[1]), method(session, name, 0.3)
    short = Settings(max_new_tokens=most, signals=False)
    wanted = alone(session, prepared, chosen, LONG).answer.token_ids
    assert len(wanted) > 5
    assert guessed(session, prepared, chosen, short, wanted)[0].tokens == wanted[:most]
    assert alone(session, prepared, chosen, short).answer.token_ids == wanted[:most]


def test_words_that_are_nearly_as_likely_are_computed_alone(session, picture, monkeypatch) -> None:
    """With so much noise none but the first token is certain: all others are generated."""
    prepared, chosen = session.prepare(picture, QUESTIONS[0]), method(session, "random", 0.5)
    wanted = alone(session, prepared, chosen, SHORT).answer.token_ids
    with working(session) as work:
        assert guessed(session, prepared, chosen, SHORT, wanted)[0].tokens == wanted
    assert work.passes == 2
    monkeypatch.setattr(guessing_module, "NOISE", 1e9)
    with working(session) as work:
        assert guessed(session, prepared, chosen, SHORT, wanted)[0].tokens == wanted
    assert work.passes == 2 + len(wanted) - 1


def test_a_stopped_guess_ends_with_its_first_token(session, picture) -> None:
    prepared, chosen = session.prepare(picture, QUESTIONS[0]), method(session, "random", 0.5)
    stop = threading.Event()
    stop.set()
    with torch.no_grad(), block(session.loaded, prepared, chosen) as run:
        run.let_several_follow()
        told, _ = guess(session.loaded, prepared, LONG, [9, 11, 13], stop)
    assert len(told.tokens) == 1


@pytest.mark.parametrize("settings", [SHORT, WHOLE])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("ratio", [0.5, 0.02])
def test_one_prefill_a_run(session, picture, streamed, settings, ratio) -> None:
    """One prefill, one forward for the baseline's answer, and what differs token by token."""
    fresh = Session(session.loaded)
    prepared, chosen = fresh.prepare(picture, QUESTIONS[1]), method(fresh, "random", ratio)
    with working(fresh) as work:
        base = fresh.baseline(prepared, settings)
    assert work.passes == len(base.token_ids) == 6
    with working(fresh) as work:
        *_, last = fresh.ask(prepared, chosen, settings, streamed=streamed)
    done = last.comparison
    apart, told = done.fidelity.first_divergence, len(done.pruned.token_ids)
    if streamed:
        rest = 0 if apart is None or apart == len(base.token_ids) - 1 else 1
        assert work.passes == told + rest
    else:
        assert work.passes == 2 + (0 if apart is None else told - apart - 1)
    assert done.pruned.token_ids == alone(fresh, prepared, chosen, settings).answer.token_ids


@pytest.mark.parametrize("name", list_methods())
def test_streamed_and_guessed_runs_tell_the_same(session, picture, name) -> None:
    prepared = session.prepare(picture, QUESTIONS[0])
    for ratio in (0.5, 0.03):
        chosen = method(session, name, ratio)
        runs = [session.ask(prepared, chosen, SHORT, streamed=how) for how in (True, False)]
        grown, told = ([*events][-1].comparison for events in runs)
        assert told.pruned.token_ids == grown.pruned.token_ids
        assert told.pruned.text == grown.pruned.text
        assert told.pruned.cost == grown.pruned.cost
        assert told.fidelity.first_divergence == grown.fidelity.first_divergence
        assert told.fidelity.first_token_kl == grown.fidelity.first_token_kl
        likely = grown.fidelity.answer_logprob
        assert told.fidelity.answer_logprob == pytest.approx(likely, abs=1e-4)


@pytest.mark.parametrize("name", IN_LLM)
def test_another_ratio_costs_what_comes_after_the_first_cut(session, picture, name) -> None:
    """And tells the same, signals of the layers before it included."""
    fresh = Session(session.loaded)
    prepared = fresh.prepare(picture, QUESTIONS[0])
    fresh.compare(prepared, method(fresh, name, 0.5), WHOLE)
    chosen = method(fresh, name, 0.25)
    with working(fresh) as work:
        ours = fresh.compare(prepared, chosen, WHOLE)
    first = chosen.stages()[0].layer
    fed = len(ours.pruned.token_ids) - 1
    if not ours.fidelity.exact_match:
        fed += len(ours.baseline.token_ids) - 1 - ours.fidelity.first_divergence
    lengths = ours.pruned.trace.kv_lengths
    assert work.token_layers == sum(lengths[first:]) + fed * len(lengths)
    plain = Session(session.loaded, memory_bytes=0)
    other = plain.compare(plain.prepare(picture, QUESTIONS[0]), chosen, WHOLE)
    assert ours.fidelity == other.fidelity
    assert ours.pruned.cost == other.pruned.cost
    assert ours.pruned.cost.scoring_flops > 0
    for signal, values in other.pruned.trace.signals.items():
        assert np.array_equal(ours.pruned.trace.signals[signal], values, equal_nan=True)
    assert ours.pruned.trace.shares == other.pruned.trace.shares


def test_ttv_read_in_another_way_is_recorded_in_every_layer(session, picture) -> None:
    """The baseline's TTV is then no stand-in for the method's own."""
    fresh = Session(session.loaded)
    prepared = fresh.prepare(picture, QUESTIONS[0])
    settings = {"num_layers": fresh.num_layers, "keep_ratio": 0.25}
    chosen = get_method("transprune", direction="one_minus_abs_cos", **settings)
    first, again = (fresh.compare(prepared, chosen, WHOLE) for _ in range(2))
    for signal, values in first.pruned.trace.signals.items():
        assert np.array_equal(again.pruned.trace.signals[signal], values, equal_nan=True)
    ours = again.pruned.trace.signals["ttv"][0]
    assert not np.allclose(ours, again.baseline.trace.signals["ttv"][0])


def test_a_sweep_takes_what_is_its_own(session) -> None:
    """One prefill a run from its first cut on, the answer in one forward; nothing where all stays.

    The bound is made of the lengths that each run really had.
    """
    fresh = Session(session.loaded)
    picture = Image.effect_noise((120, 90), 60).convert("RGB")
    prepared = fresh.prepare(picture, QUESTIONS[0])
    # Random would be drawn ten times.
    names, ratios = ["transprune", "fastv", "uniform", "fopru"], [1.0, 0.5, 0.1]
    with working(fresh) as work:
        *_, last = sweep(fresh, prepared, names, ratios, SHORT)
    prompt, layers = prepared.input_ids.shape[1], fresh.num_layers
    most = Work(token_layers=(prompt + SHORT.max_new_tokens) * layers)
    for curve in last.result.curves:
        for point in curve.points:
            first = method(fresh, curve.name, 0.5).stages()[0].layer
            text = prompt - prepared.grid.num_tokens
            seen = point.layer_average * layers + text * layers - first * prompt
            most.token_layers += round(0 if point.kept == prepared.grid.num_tokens else seen)
            said = 1 if point.exact_match else 2
            most.token_layers += said * SHORT.max_new_tokens * layers
    assert work.token_layers <= most.token_layers
    # Two prefills a run, and the answer twice, token by token.
    before = 2 * sum(
        (point.layer_average + prompt - prepared.grid.num_tokens) * layers
        for curve in last.result.curves
        for point in curve.points
    )
    assert work.token_layers < before / 3


def test_the_benchmark_of_sweeps_reports(caplog) -> None:
    with caplog.at_level("INFO", "benchmarks.sweep"):
        assert sweep_benchmark.main(["--methods", "random", "--ratios", "1", "0.5"]) == 0
    assert re.search(r"forward passes +[1-9]\d*", caplog.text)
    assert re.search(r"tokens x layers +[1-9]\d*", caplog.text)
