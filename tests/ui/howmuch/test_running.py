"""A run on the page: it builds up, gives way, stops, goes on, and leaves nothing behind."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pruneviz.engine import Shelf
from pruneviz.errors import InputError
from pruneviz.evaluation import Log
from pruneviz.ui.howmuch import runs, texts
from pruneviz.ui.howmuch import screens as screens_of
from pruneviz.ui.howmuch.runs import Desk, release
from pruneviz.ui.howmuch.screens import MuchScreen, final, measure, progress_html
from pruneviz.ui.howmuch.texts import OWN
from tests.ui.browsing import SECONDS
from tests.ui.howmuch.made import ROWS, SMALL, own_set, run

LONG = replace(SMALL, count=24, methods=("fopru",), budgets="50")
ALL = 24 * 5
NOTHING = f"Stopped. {texts.NOTHING_YET}"


@pytest.fixture
def desk():
    made = Desk()
    yield made
    release(made)


def begun(session, desk, wanted=LONG):
    """The screens of a run that has made its first rows."""
    screens = measure(Shelf.of(session), session, wanted, desk)
    for _ in screens:
        if desk.run and desk.run.rows():
            return screens
    raise AssertionError("it ended without a row")


def words(screen: MuchScreen) -> str:
    return re.sub(r"<[^>]+>", "", screen.status or "")


def test_a_run_builds_up_to_what_an_evaluation_says(session, desk) -> None:
    screens = run(session, desk)
    assert words(screens[0]) == texts.QUESTIONS
    assert (screens[1].answer, screens[1].plot, screens[1].tables) == ("", {}, "")
    last = screens[-1]
    assert words(last) == f"Done: 6 questions, {ROWS} of {ROWS} rows."
    assert "in 95 % of resamples" in last.answer
    assert "too few to be sure" in last.answer
    assert [curve["name"] for curve in last.plot["curves"]] == [
        "fopru",
        "fastv",
        "random",
        "downsample",
    ]
    assert last.tables.count("<tr") == 1 + 9 + 1 + 9, "heads, and a line for each arm"
    assert not desk.outcome.problems or "matters" in desk.outcome.problems[0]


def test_results_so_far_stand_on_the_same_questions(session, desk, monkeypatch) -> None:
    for module, name in ((screens_of, "LEAST"), (screens_of, "SHARE"), (runs, "PAUSE")):
        monkeypatch.setattr(module, name, 0.001)
    counted = set()
    for screen in begun(session, desk):
        if screen.plot and "busy" in (screen.status or ""):
            known = {
                point["worth"][0]["text"].rpartition(" of ")[2]
                for curve in screen.plot["curves"]
                for point in curve["points"]
            }
            if screen.answer:
                assert len(known) == 1, "every method on the same questions"
                assert "questions so far" in screen.answer
                counted |= known
    assert counted
    assert desk.run.finished


def test_the_progress_says_how_far_it_is_and_how_long_it_takes(session, desk) -> None:
    screens = begun(session, desk)
    line = next(screen.status for screen in screens if "rows" in (screen.status or ""))
    assert re.search(r"Asking: \d+ of 24 questions, \d+ of 120 rows \(\d+%\), .* left …", line)
    assert 'role="progressbar"' in line
    screens.close()


def test_stop_keeps_what_is_there_and_the_next_run_goes_on(session, desk) -> None:
    screens = begun(session, desk)
    desk.stop()
    *_, last = screens
    there = desk.run.rows()
    assert 0 < there < ALL
    assert words(last) == f"Stopped. {there} of {ALL} rows are there. {texts.KEPT}"
    assert "the run was stopped" in desk.outcome.problems[0]
    before = dict(desk.outcome.rows)
    *_, last = measure(Shelf.of(session), session, LONG, desk)
    assert words(last).startswith("Done: 24 questions")
    assert desk.run.progress.new == ALL - there, "what was there is not asked again"
    assert all(desk.outcome.rows[key] == row for key, row in before.items())


def test_closing_the_screens_ends_the_run(session, desk) -> None:
    screens = begun(session, desk)
    screens.close()
    assert desk.run.ended
    assert not desk.run.finished


def test_a_visitor_who_leaves_ends_the_run_and_leaves_nothing(session) -> None:
    desk = Desk()
    begun(session, desk)
    folder = desk.folder
    assert (folder / "log/rows.jsonl").exists()
    release(desk)
    assert desk.run.ended
    assert not folder.exists()
    release(None)


def test_others_get_the_model_in_between(session, desk, picture) -> None:
    screens = begun(session, desk)
    prepared = session.prepare(picture, "What does everybody else ask meanwhile?")
    assert session.baseline(prepared).text
    assert not desk.run.ended, "it did not have to end for that"
    screens.close()


def test_a_new_run_ends_the_one_before(session, desk) -> None:
    begun(session, desk)
    first = desk.run
    run(session, desk)
    assert first.ended
    assert desk.run.finished


def test_a_model_that_was_let_go_is_not_held_on_to(session, desk) -> None:
    class Full(Shelf):
        def holds(self, name: str) -> bool:
            return False

    *_, last = measure(Full.of(session), session, LONG, desk)
    assert words(last).startswith(texts.LET_GO)
    assert not desk.run.finished


def test_what_cannot_be_asked_leaves_the_last_result(session, desk) -> None:
    run(session, desk)
    outcome = desk.outcome
    screens = run(session, desk, budgets="none")
    assert 'role="alert"' in screens[-1].status
    assert all(screen.plot is None and screen.answer is None for screen in screens)
    assert desk.outcome is outcome


def test_a_failure_is_said(session, desk, monkeypatch) -> None:
    def full(*_) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Log, "add", full)
    *_, last = run(session, desk)
    assert "No space left" in last.status
    assert words(final(desk)) == NOTHING


def test_stop_before_anything_ran(desk) -> None:
    assert words(final(None)) == NOTHING
    assert words(final(desk)) == NOTHING


def test_what_was_handed_in_is_kept_until_the_next_run_and_no_longer(
    session, desk, tmp_path
) -> None:
    own = {"data": OWN, "files": [str(own_set(tmp_path))]}
    *_, last = run(session, desk, **own)
    assert "Done: 3 questions" in words(last)
    assert len(list(desk.folder.rglob("one.png"))) == 1
    run(session, desk, **own, budgets="none")
    with pytest.raises(InputError):
        desk.read(replace(SMALL, **own, tolerance=None))
    assert len(list(desk.folder.rglob("one.png"))) == 1, "a refused one leaves nothing"
    run(session, desk, **own)
    assert len(list(desk.folder.rglob("one.png"))) == 1
    assert desk.run.progress.new == 0


def test_long_past_rows_go(session, desk, monkeypatch) -> None:
    little = {"methods": ("fopru",), "budgets": "50", "count": 2}
    rows = 2 * 5
    monkeypatch.setattr(runs, "MOST_ROWS", rows)
    for seed in (1, 2):
        run(session, desk, seed=seed, **little)
    assert len(desk.run._rows) == 2 * rows
    run(session, desk, seed=3, **little)
    assert len(desk.run._rows) == rows


def test_stopping_is_said_until_it_has_stopped(session, desk) -> None:
    screens = begun(session, desk)
    desk.stop()
    assert desk.run._ended.wait(SECONDS)
    screens.close()
    assert texts.STOPPING in progress_html(desk.run)
