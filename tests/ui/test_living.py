"""What is worked out behind a result: answers at other budgets, and the controls."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from pruneviz.engine import Shelf
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.living import Alive, live
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.costs import summary
from pruneviz.ui.shared.latest import MOST, Latest
from pruneviz.ui.shared.numbers import percent
from pruneviz.ui.shared.pins import Pins
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held
from tests.ui.conftest import QUESTION


def held(session, picture, method: str, percent: float = 25) -> Held:
    screens = list(ask(session, Question(str(picture), QUESTION, method, percent)))
    assert merge(screens).shown is not None, [one.status for one in screens]
    return Held(merge(screens).shown)


@pytest.fixture(scope="module")
def found(session, picture) -> list[Alive]:
    return list(live(Shelf.of(session), held(session, picture, "fopru"), True))


def mask_of(row) -> np.ndarray:
    packed = np.frombuffer(base64.b64decode(row["mask"]), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(packed)[:256])


def test_every_answer_is_what_a_run_of_its_own_gives(session, picture, found) -> None:
    rows = [one.answers for one in found if one.answers is not None][-1]["rows"]
    assert [row["kept"] for row in rows] == sorted({row["kept"] for row in rows})
    assert rows[0]["kept"] == 1, "down to one patch"
    assert len(rows) >= 10
    for row in rows:
        screen = merge(
            list(ask(session, Question(str(picture), QUESTION, "fopru", row["percent"])))
        )
        run = screen.shown.done
        assert row["text"] == run.pruned.text
        assert row["same"] == run.fidelity.exact_match
        assert mask_of(row).tolist() == list(run.pruned.trace.kept)
        assert row["cost"] == summary(run)


def test_with_pins_every_answer_is_of_a_run_with_these_pins(session, picture) -> None:
    pins = Pins((3, 77, 200), (0, 128))
    asked = Question(str(picture), QUESTION, "fopru", 25, pins=pins)
    shown = Held(merge(list(ask(session, asked))).shown)
    *_, last = (one.answers for one in live(Shelf.of(session), shown, True) if one.answers)
    rows = last["rows"]
    assert [row["budget"] for row in rows[1:]] == [row["kept"] for row in rows[1:]]
    assert rows[0]["budget"] < rows[0]["kept"] == 3, "the slider's own number, below the pins'"
    for row in rows:
        run = merge(list(ask(session, replace(asked, keep_percent=row["percent"])))).shown.done
        assert mask_of(row).tolist() == list(run.pruned.trace.kept)
        assert {3, 77, 200} <= set(mask_of(row)) <= set(range(256)) - {0, 128}
        assert (row["text"], row["cost"]) == (run.pruned.text, summary(run))


def test_the_marks_are_known_when_all_was_tried(found) -> None:
    told = [one.answers for one in found if one.answers is not None]
    assert all(one["same"] is None for one in told[:-1])
    last = told[-1]
    holds = [row["percent"] for row in last["rows"] if row["same"]]
    assert last["same"] == 100 or last["same"] in holds
    if last["breaks"] is not None:
        assert last["breaks"] < last["same"]
        assert not next(r for r in last["rows"] if r["percent"] == last["breaks"])["same"]


def test_the_controls_stand_beside_every_result(found) -> None:
    lines = [one.chance for one in found if one.chance is not None]
    assert "No image at all" in lines[0]
    assert "Random, 10 draws" in lines[-1]
    assert "of 10 random draws of 64 patches" in lines[-1]


def test_nothing_is_worked_out_unasked(session, picture) -> None:
    shelf = Shelf.of(session)
    assert list(live(shelf, None, True)) == [Alive(None, None)]
    assert list(live(shelf, held(session, picture, "random"), False)) == [Alive(None, "")]


def test_merged_tokens_have_no_mask(session, picture) -> None:
    told = list(live(Shelf.of(session), held(session, picture, "tome", 50), True))
    rows = [one.answers for one in told if one.answers is not None][-1]["rows"]
    assert rows
    assert all(row["mask"] is None for row in rows)


def test_the_line_of_cost_agrees_with_the_record(session, picture) -> None:
    done = held(session, picture, "transprune", 12.5).shown.done
    lines = summary(done)
    cost, base = done.pruned.cost, done.baseline.cost
    assert lines[0] == (f"{cost.final_tokens} of 256", "patches kept", "12.5 %")
    assert lines[1][2] == percent(cost.layer_average, 256)
    assert lines[2] == ("", "FLOPs", f"{100 * cost.total_flops / base.total_flops:.3g} %")
    assert lines[3] == ("", "KV cache", f"{100 * cost.kv_bytes / base.kv_bytes:.3g} %")
    # One of them is the encoder's summary, and no patch.
    zipped = held(session, picture, "visionzip", 12.5).shown.done
    assert len(zipped.pruned.trace.kept) == 31
    assert summary(zipped)[0] == ("32 of 256", "tokens kept", "12.5 %")


def test_something_newer_ends_what_was_begun() -> None:
    latest = Latest()
    first = latest.begin("one")
    other = latest.begin("two")
    assert latest.holds("one", first)
    assert not latest.holds("one", latest.begin("one") - 1)
    assert latest.holds("two", other), "visitors do not end each other's"
    for number in range(MOST):
        latest.begin(f"visitor {number}")
    assert not latest.holds("two", other), "bounded"


def test_an_old_result_is_told_apart_from_a_new_one(session, picture) -> None:
    latest = Latest()
    first, second = (held(session, picture, "fopru").shown for _ in range(2))
    assert latest.is_new("one", first)
    assert not latest.is_new("one", first), "of a run that was stopped"
    assert latest.is_new("two", first)
    assert latest.is_new("one", second)
