from __future__ import annotations

import pytest

from pruneviz.ui.ask.asking import Screen, ask
from pruneviz.ui.ask.opening import Opening, merge
from pruneviz.ui.shared.question import Question
from tests.ui.browsing import SECONDS
from tests.ui.conftest import QUESTION

ERROR = 'data-kind="error"'


def last(session, question: Question) -> Screen:
    return merge(list(ask(session, question)))


def test_screens_come_in_order_and_end_with_everything(session, picture) -> None:
    screens = list(ask(session, Question(str(picture), QUESTION, keep_percent=50)))
    assert 'data-kind="busy"' in screens[0].status
    assert all(screen.view is None for screen in screens[:-1]), "the picture is sent once"
    end = screens[-1]
    assert 'data-kind="done"' in end.status
    assert "kept 128 of 256" in end.status
    assert end.view["stages"][-1]["kept"] == 128
    for html, word in ((end.cost, "KV cache"), (end.fidelity, "First-token KL")):
        assert word in html


@pytest.mark.parametrize("method", ["transprune", "resprune", "fopru", "random", "uniform"])
def test_keeping_everything_is_the_baseline(session, picture, method) -> None:
    screen = last(session, Question(str(picture), QUESTION, method, keep_percent=100))
    assert "same answer" in screen.pruned


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": None}, "Choose a picture first"),
        ({"text": "  \n "}, "Type a question"),
        ({"text": "cat " * 10_000}, "Shorten the question"),
        ({"keep_percent": 0}, "above 0 and up to 1"),
        ({"keep_percent": -1}, "above 0 and up to 1"),
        ({"keep_percent": 200}, "above 0 and up to 1"),
        ({"keep_percent": float("nan")}, "above 0 and up to 1"),
        ({"keep_percent": None}, "Set the keep ratio"),
        ({"keep_percent": 0.1}, "leaves none"),
        ({"method": "nothing"}, "Unknown method"),
        ({"method": "fopru", "options": {"strategy": "column"}}, "strategy must be one of"),
        ({"method": "resprune", "options": {"alpha": -1}}, "alpha must be"),
        ({"image": "/nowhere/at/all.png"}, "There is no file"),
    ],
)
def test_bad_input_becomes_a_message(session, picture, changes, words) -> None:
    screen = last(session, Question(**{"image": str(picture), "text": QUESTION, **changes}))
    assert ERROR in screen.status
    assert words in screen.status


@pytest.mark.parametrize("text", ["Where is the giraffe?", "Wo ist die Katze?", "Why is it?", "?"])
def test_what_the_model_was_not_taught_is_said_in_the_status_line(session, picture, text) -> None:
    screen = last(session, Question(str(picture), text))
    assert "Do not trust this answer." in screen.status
    assert "This model was " in screen.status


def test_files_that_are_no_picture(session, picture, tmp_path) -> None:
    data = picture.read_bytes()
    for name, content in (("a.png", b"hello"), ("b.png", data[: len(data) // 2]), ("c.png", b"")):
        (tmp_path / name).write_bytes(content)
        screen = last(session, Question(str(tmp_path / name), QUESTION))
        assert ERROR in screen.status, name


def test_what_was_typed_never_becomes_markup(session, picture) -> None:
    question = Question(str(picture), "<script>alert(1)</script>", method="<b>x</b>")
    screen = last(session, question)
    assert "<b>x" not in screen.status
    assert "&lt;b&gt;x" in screen.status


def test_a_failure_in_the_model_is_explained(session, picture, monkeypatch) -> None:
    def broken(*_args, **_kwargs):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(session, "prepare", broken)
    screen = last(session, Question(str(picture), QUESTION))
    assert "ran out of memory" in screen.status
    assert "--quantisation" in screen.status


def test_closing_stops_the_run(session, picture) -> None:
    session.endless.set()
    try:
        screens = ask(session, Question(str(picture), QUESTION))
        while next(screens).baseline is None or "word" not in (next(screens).baseline or ""):
            pass
        screens.close()
        assert session.closed.wait(SECONDS)
    finally:
        session.endless.clear()
    assert 'data-kind="done"' in last(session, Question(str(picture), QUESTION)).status


def test_the_opening_runs_once(session, picture, monkeypatch) -> None:
    opening = Opening(session, Question(str(picture), QUESTION))
    first = opening()
    monkeypatch.setattr(session, "prepare", None)
    assert opening() is first
