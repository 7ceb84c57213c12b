"""Plans worked off on the embedded model, whatever comes between."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
import torch

from pruneviz import load_model
from pruneviz.engine import Budget, Session, Settings
from pruneviz.engine.batches import Batch
from pruneviz.engine.memory import size_of
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.builtin import scene_cases
from pruneviz.evaluation.identity import how_of, identity_of
from pruneviz.evaluation.log import ROWS, Log
from pruneviz.evaluation.plan import Arm, Plan, arms_of
from pruneviz.evaluation.runner import evaluate
from tests.evaluation.made import NoPicture

SETTINGS = Settings(signals=False)
BUDGETS = [Budget(0.5), Budget(0.1)]
UNTIMED = ("id", "method", "budget", "seed", "answer", "correct", "tokens", "layer_average")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model("embedded", device="cpu"))


def plan_of(session, count=6, methods=("fastv", "fopru"), budgets=BUDGETS, **kwargs) -> Plan:
    arms = arms_of(methods, budgets, **({"controls": False} | kwargs))
    return Plan(scene_cases("scenes", count), arms, how_of(session, SETTINGS))


def work(folder, plan, session, most=8, **kwargs):
    with Log.opened(folder) as log:
        progress = list(evaluate(plan, log, Asker(session, SETTINGS, most).ask, **kwargs))
        return progress, log.rows


def known(rows) -> list[tuple]:
    return sorted(tuple(row[name] for name in UNTIMED) for row in rows.values())


def test_rows_are_what_sessions_answer(session, tmp_path) -> None:
    plan = plan_of(session)
    progress, rows = work(tmp_path, plan, session)
    assert progress[0].done == 0
    assert progress[0].seconds_left is None
    assert progress[-1].finished
    assert progress[-1].seconds_left == 0
    assert [one.done for one in progress] == sorted({one.done for one in progress})
    assert len(rows) == len(plan) == 30
    for number, case in enumerate(plan.cases):
        prepared = session.prepare(case.picture.read(), case.question)
        for key, arm in zip(plan.ids(number), plan.arms, strict=True):
            row = rows[key]
            if arm.pruned:
                answer = session.compare(prepared, arm.build(256, 10), SETTINGS).pruned
            else:
                answer = session.baseline(prepared, SETTINGS)
            assert row["answer"] == answer.text
            assert row["correct"] is (answer.text == case.truth.answers[0])
            assert row["tokens"] == answer.cost.final_tokens
            assert row["flops"] == pytest.approx(answer.cost.total_flops, rel=1e-4)
            assert (row["question"], row["kind"], row["error"]) == (case.question, case.kind, "")


def test_one_by_one_gives_the_same(session, tmp_path) -> None:
    plan = plan_of(session)
    assert known(work(tmp_path / "a", plan, session)[1]) == known(
        work(tmp_path / "b", plan, session, most=1)[1]
    )


def test_a_stopped_run_goes_on_without_loss_or_doubling(session, tmp_path) -> None:
    plan = plan_of(session)
    _, whole = work(tmp_path / "whole", plan, session)
    stops = 0
    for after in (1, 3, 2, 100):
        with Log.opened(tmp_path / "parts") as log:
            running = evaluate(plan, log, Asker(session, SETTINGS, 8).ask)
            for number, _ in enumerate(running):
                if number == after:
                    stops += 1
                    break
            running.close()
        # As a kill in the middle of a line leaves it.
        with (tmp_path / "parts" / ROWS).open("a") as file:
            file.write('{"id": "torn')
    assert stops == 3
    progress, rows = work(tmp_path / "parts", plan, session)
    assert progress[-1].new == 0
    assert known(rows) == known(whole)
    lines = (tmp_path / "parts" / ROWS).read_text().splitlines()
    assert len(lines) == len(plan)


def test_more_methods_ask_only_what_is_new(session, tmp_path) -> None:
    first, more = plan_of(session, 3), plan_of(session, 4, methods=("fastv", "fopru", "random"))
    work(tmp_path, first, session)
    progress, rows = work(tmp_path, more, session)
    assert progress[0].done == len(first) == 15
    assert progress[-1].new == len(more) - 15
    assert len(rows) == len(more)
    seeds = Counter(row["seed"] for row in rows.values() if row["method"] == "random")
    assert seeds == dict.fromkeys(range(10), 8)


def test_stop_ends_before_the_next_batch(session, tmp_path) -> None:
    stop = threading.Event()
    plan = plan_of(session)
    with Log.opened(tmp_path) as log:
        asker = Asker(session, SETTINGS, 8, stop)
        last = None
        for last in evaluate(plan, log, asker.ask):
            if last.new:
                stop.set()
        assert 0 < last.done < last.total
        assert all(row["error"] == "" for row in log.rows.values())


def test_a_picture_is_encoded_once_and_the_baseline_run_once(session, tmp_path) -> None:
    """Four questions a picture; layers below the first cut run once a question."""
    fresh = Session(session.loaded)
    tower = session.loaded.adapter.encoder(session.loaded.model)
    first = session.loaded.adapter.decoder(session.loaded.model).layers[0].self_attn
    encoded, prefilled = [], []
    handles = [
        tower.register_forward_hook(lambda *_: encoded.append(1)),
        first.register_forward_pre_hook(
            lambda _, args, kwargs: prefilled.append(kwargs["hidden_states"].shape),
            with_kwargs=True,
        ),
    ]
    plan = plan_of(session, 8, methods=("fastv",), budgets=[Budget(r) for r in (0.5, 0.2, 0.1)])
    work(tmp_path, plan, fresh, most=8)
    for handle in handles:
        handle.remove()
    assert len(encoded) == 2
    assert sum(shape[0] for shape in prefilled if shape[1] > 100) == 8


def test_a_small_memory_is_not_overfilled(session, tmp_path, monkeypatch) -> None:
    """Questions wait for others of their shape only as long as half of it holds them."""
    plan = plan_of(session, 6, methods=("fopru",), budgets=[Budget(0.5)])
    prepared = session.prepare(plan.cases[0].picture.read(), plan.cases[0].question)
    small = Session(session.loaded, memory_bytes=3 * size_of(prepared))
    waiting, real = [], Asker._ask_groups

    def noted(self, groups):
        waiting.append(sum(map(len, groups)))
        return real(self, groups)

    monkeypatch.setattr(Asker, "_ask_groups", noted)
    progress, rows = work(tmp_path / "small", plan, small)
    assert progress[-1].finished
    assert waiting == [2, 2, 2, 0]
    assert known(rows) == known(work(tmp_path / "large", plan, session)[1])


def test_an_error_is_a_row(session, tmp_path) -> None:
    """A picture that cannot be read, a budget out of reach, a batch of which one question fails."""
    plan = plan_of(session, 3, methods=("fastv",), budgets=[Budget(0.5), Budget(0.001)])
    bad = replace(plan.cases[1], picture=NoPicture("gone"))
    plan = Plan([plan.cases[0], bad, plan.cases[2]], plan.arms, plan.how)
    progress, rows = work(tmp_path, plan, session)
    assert progress[-1].finished
    assert progress[-1].errors == 3 + 2
    gone = [rows[key] for key in plan.ids(1)]
    assert {row["error"] for row in gone} == {"NotImplementedError"}
    small = rows[plan.ids(0)[2]]
    assert "smallest keep ratio" in small["error"]
    assert small["answer"] is small["correct"] is small["tokens"] is None
    again, _ = work(tmp_path, plan, session)
    assert again[-1].new == 0
    assert again[-1].errors == 5
    retried, rows = work(tmp_path, plan, session, retry=True)
    assert retried[0].done == len(plan) - 5
    assert retried[-1].errors == 5
    assert len(rows) == len(plan)


def test_a_batch_that_fails_is_asked_one_by_one(session, tmp_path, monkeypatch) -> None:
    plan = plan_of(session, 6, methods=("random",), budgets=[Budget(0.5)], seeds=1)
    _, whole = work(tmp_path / "whole", plan, session)

    def fails(self, method):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Batch, "pruned", fails)
    progress, rows = work(tmp_path / "parts", plan, session)
    assert progress[-1].errors == 0
    assert known(rows) == known(whole)


def test_agreement_is_scored_against_the_log(session, tmp_path) -> None:
    plan = plan_of(session, 3)
    plan = Plan([replace(case, rule="agreement") for case in plan.cases], plan.arms, plan.how)
    _, rows = work(tmp_path, plan, session)
    for number in range(3):
        base, *others = (rows[key] for key in plan.ids(number))
        assert base["correct"] is True
        assert [row["correct"] for row in others] == [r["answer"] == base["answer"] for r in others]


def test_the_model_is_told_to_its_revision(session, tmp_path) -> None:
    loaded = session.loaded
    name = identity_of(loaded)
    assert name.startswith("embedded@")
    assert name == identity_of(loaded)
    other = replace(loaded, name=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"a" * 10)
    first = identity_of(other)
    weights.write_bytes(b"a" * 9 + b"b")
    assert identity_of(other) != first
    weights.write_bytes(b"a" * 10)
    assert identity_of(other) == first
    assert identity_of(replace(loaded, name="some/hub-model")) == "some/hub-model@unknown"


def test_arms_are_sent_with_their_tasks(session) -> None:
    """Workers get all they need in a task, and give rows that are not scored yet."""
    plan = plan_of(session, 1, methods=("fopru",), budgets=[Budget(0.5)])
    (task,) = plan.tasks(())
    rows = [row for rows in Asker(session, SETTINGS).ask([task]) for row in rows]
    assert [row["id"] for row in rows] == list(task.ids)
    assert all("correct" not in row for row in rows)
    assert task.arms == (Arm(), Arm("fopru", Budget(0.5)))
