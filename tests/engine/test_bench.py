"""Paired measurements: what is run, in which order, and what is counted. Never how fast it was."""

from __future__ import annotations

import threading
from functools import wraps
from statistics import median

import pytest
import torch

from pruneviz import observe, prune
from pruneviz.cost import prefill_cost
from pruneviz.engine.bench import Entry, Plan, Spread, from_geometry, measure, paired
from pruneviz.engine.bench.runs import Batch
from pruneviz.errors import InputError
from pruneviz.methods import FastV, FoPru, Random

FASTV = FastV(keep_ratio=0.25, num_layers=6)
METHODS = [FoPru(keep_ratio=0.25), FASTV, Random(keep_ratio=0.5)]


@pytest.fixture(scope="module")
def subject():
    return from_geometry("tiny", device="cpu")


def test_unpruned_and_every_method_take_turns(subject, monkeypatch) -> None:
    ran = []
    for name in ("prefill", "whole"):
        own = getattr(Batch, name)

        def noted(self, method, *rest, name=name, own=own):
            ran.append((name, method.name if method else None))
            return own(self, method, *rest)

        monkeypatch.setattr(Batch, name, noted)
    plan = Plan(rounds=2, warmup=1, tokens=2, batches=(1, 2))
    report = measure(subject, METHODS, plan)
    turn = [
        (what, who) for who in (None, "fopru", "fastv", "random") for what in ("prefill", "whole")
    ]
    assert ran == turn * 3 * 2
    assert [group.batch for group in report.groups] == [1, 2]
    assert [row.method for row in report.groups[1].rows] == ["fopru", "fastv", "random"]


def test_warm_ups_do_not_count(subject, monkeypatch) -> None:
    clock = iter(range(1, 100))
    monkeypatch.setattr(Batch, "prefill", lambda *_: float(next(clock)))
    plan = Plan(rounds=2, warmup=2, tokens=1, reference=False)
    (group,) = measure(subject, METHODS[:1], plan).groups
    # Unpruned and pruned by turns: 1, 2; 3, 4 warm up, and 5, 6; 7, 8 count.
    assert group.baseline.prefill == median([5, 7])
    assert group.rows[0].prefill == Spread.of([6 / 5, 8 / 7])
    assert group.rows[0].per_token is None
    assert group.rows[0].ideal is None


@pytest.mark.parametrize("size", [1, 3])
def test_work_and_cache_are_those_of_the_lengths(subject, size) -> None:
    report = measure(subject, METHODS, Plan(rounds=1, warmup=0, tokens=1, batches=(size,)))
    (group,) = report.groups
    with torch.no_grad(), observe(subject.model, record=()) as plain:
        subject.model(**subject.inputs)
    base = prefill_cost(subject.shape, plain.trace.tokens_per_layer, plain.trace.kv_lengths)
    assert group.baseline.kv_bytes == size * base.kv_bytes
    assert group.baseline.flops == size * base.total_flops
    for row, method in zip(group.rows, METHODS, strict=True):
        with torch.no_grad(), prune(subject.model, method, count_flops=True) as run:
            subject.model(**subject.inputs)
        cost = prefill_cost(subject.shape, run.trace.tokens_per_layer, run.trace.kv_lengths)
        assert row.kv_bytes == cost.kv_bytes / base.kv_bytes
        assert row.kept == len(run.trace.kept)
        assert row.layer_average == run.trace.layer_average
        spent = cost.total_flops + run.scoring_flops
        assert row.flops == pytest.approx(spent / base.total_flops, rel=0.02)
        assert row.peak_bytes is None, "a CPU tells nothing of its memory"


def test_rows_of_a_batch_are_no_beams(subject) -> None:
    batch = Batch.of(subject, 3)
    rows = batch.inputs["pixel_values"].flatten(1)
    assert torch.equal(rows[0], subject.inputs["pixel_values"].flatten())
    embeds = batch.prompt.embeds
    assert not any(torch.equal(embeds[row], embeds[row - 1]) for row in range(3))
    assert len(batch.facts(METHODS[0]).traces) == 3


def test_answers_are_as_long_as_asked_for(subject, monkeypatch) -> None:
    """Also where a model would rather end at once."""
    made = []
    own = subject.model.generate
    monkeypatch.setattr(subject.model, "generate", lambda **kw: made.append(own(**kw)) or made[-1])
    monkeypatch.setattr(subject.model.generation_config, "eos_token_id", list(range(95)))
    batch = Batch.of(subject, 2)
    found = batch.whole(METHODS[0], 5)
    assert made[0].shape == (2, subject.length + 5)
    assert 0 < found.per_token < found.seconds


def test_what_does_not_fit_drops_out_alone(subject, monkeypatch) -> None:
    own = Batch.prefill

    def full(self, method):
        if method is FASTV:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(self, method)

    monkeypatch.setattr(Batch, "prefill", full)
    (group,) = measure(subject, METHODS, Plan(rounds=1, warmup=0, tokens=1)).groups
    assert [row.problem for row in group.rows] == ["", "out of memory", ""]
    assert group.rows[1].prefill is None


def test_a_batch_that_does_not_fit_is_told(subject, monkeypatch) -> None:
    own = subject.model.forward

    @wraps(own)
    def full(*args, **kwargs):
        if len(kwargs["input_ids"]) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return own(*args, **kwargs)

    monkeypatch.setattr(subject.model, "forward", full)
    plan = Plan(rounds=1, warmup=0, tokens=1, batches=(1, 2))
    fits, full_up = measure(subject, METHODS, plan).groups
    assert fits.baseline is not None
    assert full_up.baseline is None
    assert {row.problem for row in full_up.rows} == {"out of memory"}


def test_a_method_that_does_not_go_with_the_model_says_so(subject) -> None:
    deep = FastV(keep_ratio=0.25, prune_layer=9, num_layers=32)
    plan = Plan(rounds=1, warmup=0, tokens=1)
    report = measure(subject, [deep, METHODS[0]], plan)
    first, second = report.groups[0].rows
    assert first.problem == report.problem
    assert "6 decoder layers" in first.problem
    assert second.prefill is not None


def test_other_failures_are_not_swallowed(subject, monkeypatch) -> None:
    def broken(*_):
        raise RuntimeError("a broken kernel")

    monkeypatch.setattr(Batch, "prefill", broken)
    with pytest.raises(RuntimeError, match="broken kernel"):
        measure(subject, METHODS, Plan(rounds=1, warmup=0, tokens=1))


def test_a_refused_method_keeps_its_place(subject) -> None:
    refused = Entry.refused("fastv", "FastV", "3 %", "out of its reach")
    plan = Plan(rounds=1, warmup=0, tokens=1)
    (group,) = measure(subject, [refused, METHODS[0]], plan).groups
    assert [row.problem for row in group.rows] == ["out of its reach", ""]
    assert group.rows[0].name == "FastV 3 %"


def test_stop_ends_the_rounds(subject) -> None:
    stop, steps = threading.Event(), []

    def step(line: str) -> None:
        steps.append(line)
        stop.set()

    report = measure(subject, METHODS, Plan(rounds=9, warmup=0, batches=(1, 2)), step, stop)
    assert len(steps) == 1
    (group,) = report.groups
    assert {row.problem for row in group.rows} == {"stopped"}
    assert report.pairs() == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"tokens": 0}, "tokens must be at least 1"),
        ({"batches": ()}, "at least one row"),
        ({"batches": (2, 0)}, "at least one row"),
    ],
)
def test_plans_that_cannot_be(changes, words) -> None:
    with pytest.raises(InputError, match=words):
        Plan(**changes)


def test_quartiles() -> None:
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0)
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(2.0, 3.0, 4.0)


def test_a_question_of_a_session_is_paired(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    plan = Plan(rounds=2, warmup=0, tokens=3, reference=False)
    *told, last = paired(session, prepared, FoPru(keep_ratio=0.25), plan)
    assert [event.text for event in told][1] == "Batch 1, round 1 of 2: FoPru …"
    assert [pair.key for pair in last.report.pairs()] == ["prefill", "token", "whole"]
    row = last.report.groups[0].rows[0]
    assert row.kept == prepared.grid.num_tokens // 4
    assert last.report.length == prepared.input_ids.shape[1]


def test_a_paired_run_waits_for_others_and_can_be_closed(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    events = paired(session, prepared, FoPru(keep_ratio=0.25), Plan(rounds=10_000))
    assert next(events).text
    events.close()
    with session.alone():
        pass
