"""Runs that nobody asked for by a button, and runs that a newer one takes the place of."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from pruneviz.ui.shared import running
from pruneviz.ui.shared.latest import Latest
from pruneviz.ui.shared.running import busy, idle, newest, steps, wire_rest

NOTHING = "nothing"


def screens(closed: list[bool]) -> Generator[str]:
    try:
        yield from ("first", "second", "third")
    finally:
        closed.append(True)


def shown(rows: list[list[Any]]) -> list[str]:
    return [row[0] for row in rows]


def test_a_run_that_is_not_wanted_any_more_ends_and_leaves_stop_alone() -> None:
    wanted, closed = [True], []
    rows = steps(screens(closed), lambda one: [one], NOTHING, lambda: wanted[0])
    found = [next(rows), next(rows)]
    wanted[0] = False
    found += rows
    assert shown(found) == [NOTHING, "first", NOTHING]
    assert closed == [True]
    assert found[0][1:] == busy()
    assert found[-1][1:] == [idle()[0], gr.skip()]


def test_a_run_that_stays_the_newest_ends_as_it_should() -> None:
    found = list(steps(screens([]), lambda one: [one], NOTHING))
    assert shown(found) == [NOTHING, "first", "second", "third", NOTHING]
    assert found[-1][1:] == idle()


def test_the_newest_run_of_each_visitor(monkeypatch) -> None:
    runs, visitor = Latest(), ["anna"]
    monkeypatch.setattr(running, "session_of", lambda: visitor[0])
    first = newest(runs)
    visitor[0] = "bela"
    other = newest(runs)
    assert (first(), other()) == (True, True)
    visitor[0] = "anna"
    second = newest(runs)
    assert (first(), second(), other()) == (False, True, True)
    visitor[0] = None
    programs = [newest(runs), newest(runs)]
    assert all(one() for one in programs), "programs have no page that shows one thing at a time"


@pytest.fixture
def rested() -> Any:
    """What runs when the slider rests: a picture, a question and two buttons."""
    parts = [SimpleNamespace(name=name) for name in ("model", "picture", "question")]

    def run(model: str, picture: str | None, question: str) -> Generator[list[Any]]:
        yield from steps(screens([]), lambda one: [f"{one} {question}"], NOTHING)

    def event(handler: Any, inputs: list[Any], outputs: list[Any], **settings: Any) -> Any:
        return handler

    return wire_rest(event, SimpleNamespace(), run, parts, ["line", "run", "stop"], parts[1:])


def test_at_rest_the_button_stays(rested) -> None:
    found = list(rested(True, "model", "a.png", "What?"))
    assert shown(found)[1:-1] == ["first What?", "second What?", "third What?"]
    assert all(row[1] == gr.skip() for row in found)
    assert [row[2] for row in found] == [busy()[1], *[gr.skip()] * 3, idle()[1]]


@pytest.mark.parametrize(
    "now", [(False, "model", "a.png", "What?"), (True, "model", None, "What?")]
)
def test_at_rest_nothing_is_asked_unasked(rested, now) -> None:
    assert list(rested(*now)) == [[gr.skip()] * 3]


@pytest.mark.parametrize("text", ["", " ", None])
def test_at_rest_an_empty_question_is_not_complained_of(rested, text) -> None:
    assert list(rested(True, "model", "a.png", text)) == [[gr.skip()] * 3]
