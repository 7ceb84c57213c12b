"""The engine on the embedded model: streamed, stopped, remembered, refused."""

import threading
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from pruneviz import get_method, list_methods, prune
from pruneviz.engine import Session, Settings
from pruneviz.engine.streaming import stream
from pruneviz.errors import InputError
from tests.engine.alone import generate

SHORT = Settings(max_new_tokens=6, signals=False)
QUESTION = "Where is the cat?"


def method(session, name="transprune", **settings):
    return get_method(name, num_layers=session.num_layers, **({"keep_ratio": 0.25} | settings))


def count_hooks(session):
    # Some stay: the transformers library leaves its own recorders on the vision tower.
    modules = session.loaded.model.modules()
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


@pytest.mark.parametrize("name", list_methods())
def test_every_method_gives_a_whole_comparison(session, picture, name):
    prepared = session.prepare(picture, QUESTION)
    result = session.compare(prepared, method(session, name))
    trace, layers = result.pruned.trace, session.num_layers
    assert trace.method == name
    assert trace.num_visual == result.grid.num_tokens == result.baseline.cost.final_tokens
    assert result.pruned.cost.final_tokens == trace.num_visual // 4
    assert result.pruned.cost.kv_bytes < result.baseline.cost.kv_bytes
    assert result.pruned.cost.llm_flops < result.baseline.cost.llm_flops
    for signal in ("ttv", "iga", "residual"):
        assert result.baseline.trace.signals[signal].shape == (layers, trace.num_visual)
        assert np.isfinite(result.baseline.trace.signals[signal]).all()
        assert np.isfinite(trace.signals[signal][-1, trace.kept]).all()
        assert np.isnan(np.delete(trace.signals[signal][-1], trace.kept)).all()
    assert result.pruned.times.prefill > result.pruned.times.scoring > 0
    assert result.to_dict()["pruned"]["text"] == result.pruned.text


def test_keep_ratio_one_changes_nothing(session, picture):
    prepared = session.prepare(picture, QUESTION)
    for name in list_methods():
        result = session.compare(prepared, method(session, name, keep_ratio=1.0), SHORT)
        assert result.pruned.token_ids == result.baseline.token_ids
        assert result.fidelity.exact_match
        assert result.fidelity.first_token_kl == 0.0
        assert result.fidelity.answer_logprob == pytest.approx(
            result.fidelity.baseline_logprob, abs=1e-5
        )


def test_engine_equals_plain_generate(session, picture):
    """Encoding the image apart gives what the model gives when fed pixels."""
    loaded, chosen = session.loaded, method(session)
    prepared = session.prepare(picture, QUESTION)
    result = session.compare(prepared, chosen, SHORT)
    inputs = loaded.adapter.prepare(loaded.processor, loaded.model, picture, QUESTION)
    start = inputs["input_ids"].shape[1]
    with torch.no_grad():
        plain = loaded.model.generate(**inputs, max_new_tokens=6, do_sample=False)
        with prune(loaded.model, chosen) as run:
            pruned = loaded.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    assert tuple(plain[0, start:].tolist()) == result.baseline.token_ids
    assert tuple(pruned[0, start:].tolist()) == result.pruned.token_ids
    assert np.array_equal(run.trace.kept, result.pruned.trace.kept)


def test_streamed_text_grows_to_the_answer(session):
    picture = Image.new("RGB", (64, 64), "navy")
    prepared = session.prepare(picture, QUESTION)
    texts = {"baseline": [], "pruned": []}
    kinds = []
    for event in session.ask(prepared, method(session), SHORT):
        kinds.append(event.kind)
        if event.kind in texts:
            texts[event.kind].append(event.text)
    assert kinds[-1] == "done"
    assert event.comparison.baseline.text == texts["baseline"][-1]
    assert event.comparison.pruned.text == texts["pruned"][-1]
    for parts in texts.values():
        assert all(b.startswith(a) for a, b in pairwise(parts))


def test_closing_the_stream_stops_the_run_and_leaves_the_session_usable(session):
    prepared = session.prepare(Image.new("RGB", (64, 64), "green"), QUESTION)
    hooks = count_hooks(session)
    events = session.ask(prepared, method(session), Settings(max_new_tokens=200))
    next(events)
    events.close()
    assert not [t for t in threading.enumerate() if t.name == "pruneviz-generate"]
    assert session.compare(prepared, method(session), SHORT).fidelity is not None
    assert count_hooks(session) == hooks


def test_a_stopped_run_ends_with_the_token_it_is_at(session, picture):
    stop = threading.Event()
    stop.set()
    prepared = session.prepare(picture, QUESTION)
    made = generate(session.loaded, prepared, None, Settings(200), lambda _: None, stop)
    assert made.answer.stopped
    assert len(made.answer.token_ids) == 1


def test_closing_a_stream_tells_its_work_and_waits_for_it():
    told = []

    def work(emit, stop):
        emit(1)
        told.append(stop.wait(600))

    items = stream(work)
    next(items)
    items.close()
    assert told == [True]


def test_baseline_and_image_are_remembered(session, picture):
    prepared = session.prepare(picture, "How many dogs are there?")
    first = session.compare(prepared, method(session), SHORT)
    assert session.prepare(picture, "  How many  dogs are there? ") is prepared
    second = session.compare(prepared, method(session, "random"), SHORT)
    assert second.baseline is first.baseline


def test_threads_wait_for_each_other(session):
    results = {}

    def ask(name):
        prepared = session.prepare(Image.new("RGB", (50, 50), "red"), QUESTION)
        results[name] = session.compare(prepared, method(session, name), SHORT)

    threads = [threading.Thread(target=ask, args=(name,)) for name in list_methods()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {r.pruned.trace.method for r in results.values()} == set(list_methods())


@pytest.mark.parametrize("question", ["", "   ", "\n", None, 3])
def test_empty_question(session, picture, question):
    with pytest.raises(InputError, match="question"):
        session.prepare(picture, question)


def test_question_with_the_image_placeholder(session, picture):
    with pytest.raises(InputError, match="placeholder"):
        session.prepare(picture, "What is <image>?")


def test_very_long_question(session, picture):
    with pytest.raises(InputError, match="Shorten the question"):
        session.prepare(picture, "cat " * 10_000)


@pytest.mark.parametrize("size", [(1, 1), (20000, 30), (30, 20000)])
def test_extreme_images_are_answered(session, size):
    prepared = session.prepare(Image.new("RGB", size, "white"), QUESTION)
    result = session.compare(prepared, method(session), SHORT)
    boxes = result.grid.boxes
    assert boxes[:, [0, 1]].min() >= 0
    assert (boxes.max(0)[2:] <= size).all()


def test_a_ratio_that_leaves_nothing_is_refused_at_once(session, picture):
    prepared = session.prepare(picture, QUESTION)
    with pytest.raises(ValueError, match="smallest keep ratio"):
        session.ask(prepared, method(session, "random", keep_ratio=0.001), SHORT)


def test_an_error_in_the_worker_reaches_the_caller():
    def work(emit, stop):
        emit(1)
        raise KeyError("inside")

    items = stream(work)
    assert next(items) == 1
    with pytest.raises(KeyError, match="inside"):
        next(items)


def test_session_of_an_unpruned_baseline(session, picture):
    prepared = session.prepare(picture, QUESTION)
    answer = session.baseline(prepared, SHORT)
    assert answer.trace.method == "baseline"
    assert answer.trace.stages == ()
    assert isinstance(session, Session)


def test_another_question_about_the_picture_has_a_baseline_of_its_own(session, picture) -> None:
    fresh, how = Session(session.loaded), Settings(max_new_tokens=6, signals=False)
    questions = ("Where is the cat?", "What colour is the sky?")
    answers = [fresh.baseline(fresh.prepare(picture, asked), how) for asked in questions]
    alone = Session(session.loaded)
    wanted = alone.baseline(alone.prepare(picture, questions[1]), how)
    assert answers[1].token_ids == wanted.token_ids
    assert answers[0] is not answers[1]


def test_a_stopped_baseline_is_not_remembered(session, picture) -> None:
    fresh, how = Session(session.loaded), Settings(max_new_tokens=60, signals=False)
    prepared = fresh.prepare(picture, "Describe everything in the picture.")
    events = fresh.ask(prepared, get_method("random", keep_ratio=0.5), how)
    for event in events:
        if event.kind == "baseline":
            break
    events.close()
    again = fresh.baseline(prepared, how)
    assert not again.stopped
    alone = Session(session.loaded)
    assert (
        again.token_ids == alone.baseline(alone.prepare(picture, prepared.question), how).token_ids
    )
