"""Times on the page: paired, or none at all."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from pruneviz import export
from pruneviz.engine import Shelf
from pruneviz.engine.bench import Plan, paired
from pruneviz.ui.ask import measuring, results
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.measuring import Measured, measure
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.costs import cost_html, cost_lines
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held, Shown
from tests.ui.conftest import QUESTION

PLAN = Plan(rounds=2, warmup=0, tokens=3, reference=False)


@pytest.fixture(scope="module")
def shown(session, picture) -> Shown:
    return merge(list(ask(session, Question(str(picture), QUESTION, "fopru", 25)))).shown


@pytest.fixture
def quick(monkeypatch) -> None:
    """Fewer rounds than a person gets."""
    monkeypatch.setattr(measuring, "paired", lambda *args: paired(*args, PLAN))


@pytest.fixture
def measured(session, shown, quick) -> list[Measured]:
    return list(measure(Shelf.of(session), Held(shown)))


def table(one: Shown) -> list[dict[str, str]]:
    text = export.table(one.done, "model", one.timing)
    return list(csv.DictReader(text.splitlines()))


def test_a_result_says_nothing_of_time(shown) -> None:
    """The baseline may be remembered from another moment."""
    assert shown.timing is None
    groups = [group for group, _ in cost_lines(shown.done)]
    whole = next(
        line for _, lines in cost_lines(shown.done) for line in lines if "all of it" in line.label
    )
    base, pruned = shown.done.baseline.cost, shown.done.pruned.cost
    assert whole.ratio == pruned.total_flops / base.total_flops < 1
    assert groups == ["Visual tokens", "Computed work and memory"]
    assert " ms" not in cost_html(shown.done, small=True)
    assert not [row for row in table(shown) if row["group"] == "time"]
    said = shown.done.to_dict()
    for answer in (said["baseline"], said["pruned"]):
        assert set(answer) == {"label", "text", "token_ids", "cost", "stopped"}


def test_measuring_fills_the_table(measured) -> None:
    *steps, last = measured
    assert all(step.cost is None and step.held is None for step in steps)
    lines = [step.timing for step in steps]
    assert any("Batch 1, round 2 of 2: FoPru" in line for line in lines)
    assert all('data-kind="busy"' in line for line in lines)
    assert 'data-kind="done"' in last.timing
    timing = last.held.shown.timing
    (*_, (group, shares)) = cost_lines(last.held.shown.done, timing)
    assert group == "Measured time"
    labels = [line.label for line in shares]
    assert labels == ["Picture and prefill", "Each further token", "Answer of 3 tokens"]
    for line, pair in zip(shares, timing.pairs(), strict=True):
        assert (line.ratio, line.spread) == (pair.ratio.middle, pair.ratio)
        low, high = (f"{100 * value:.3g}" for value in (pair.ratio.low, pair.ratio.high))
        assert f"<small>{low} to {high} %</small>" in last.cost
    assert "medians of 2 pairs" in last.cost


def test_exports_have_the_paired_times(measured) -> None:
    shown = measured[-1].held.shown
    rows = [row for row in table(shown) if row["group"] == "time"]
    assert [row["quantity"] for row in rows] == [
        f"{name}, median of 2 pairs"
        for name in ("picture and prefill", "each further token", "answer of 3 tokens")
    ]
    for row, pair in zip(rows, shown.timing.pairs(), strict=True):
        assert (float(row["baseline"]), float(row["pruned"])) == pair.seconds
        assert float(row["pruned_over_baseline"]) == pytest.approx(pair.ratio.middle, rel=1e-5)


def test_files_made_before_are_still_released(session, shown, quick, tmp_path) -> None:
    held = Held(shown, [tmp_path / "table.csv"])
    assert list(measure(Shelf.of(session), held))[-1].held.files == held.files


def test_nothing_asked_is_a_message(session) -> None:
    (only,) = measure(Shelf.of(session), None)
    assert "Ask first" in only.timing
    assert 'data-kind="error"' in only.timing


def test_what_cannot_be_measured_is_explained(session, shown, monkeypatch) -> None:
    def lost(*args):
        *_, last = paired(*args, PLAN)
        (group,) = last.report.groups
        rows = (replace(group.rows[0], prefill=None, problem="out of memory"),)
        yield replace(
            last, report=replace(last.report, groups=(replace(group, baseline=None, rows=rows),))
        )

    monkeypatch.setattr(measuring, "paired", lost)
    *_, last = measure(Shelf.of(session), Held(shown))
    assert "could not be measured: out of memory." in last.timing
    assert last.cost is None
    gone = replace(shown, question=replace(shown.question, image="/nowhere.png"))
    *_, last = measure(Shelf.of(session), Held(gone))
    assert "There is no file" in last.timing


def test_people_are_told_how_often_it_is_run() -> None:
    assert results.PAIRS.rounds >= 5
    assert "{}" in results.texts.MEASURE_NOTE
