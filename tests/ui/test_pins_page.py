"""Pins on their way from the browser to the method and back."""

from __future__ import annotations

import hashlib
import json

import pytest

from pruneviz.engine import picture_key, read_image
from pruneviz.errors import InputError
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.links import read_query
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.ask.wiring import pin_script
from pruneviz.ui.shared.pins import Pins, read_pins
from pruneviz.ui.shared.question import Question
from tests.ui.conftest import QUESTION, draw


def last(session, picture, **settings):
    return merge(list(ask(session, Question(str(picture), QUESTION, **settings))))


def test_pins_reach_the_method_and_come_back_to_the_canvas(session, picture) -> None:
    screen = last(session, picture, pins=Pins((0, 255), (100,), 3))
    assert "TransPrune + pins" in screen.pruned
    trace = screen.shown.done.pruned.trace
    assert {0, 255} <= set(trace.kept.tolist())
    assert 100 not in trace.kept
    assert len(trace.kept) == 64 + 3
    assert screen.view["pins"] == {"keep": [0, 255], "drop": [100], "extra": 3}
    assert screen.view["budget"] == 64
    assert screen.view["picture"] == picture_key(read_image(picture))


def test_pins_of_another_picture_are_left_out(session, picture) -> None:
    other = picture_key(draw((64, 64)))
    screen = last(session, picture, pins=Pins((0,), (), 0, other))
    assert "pins" not in screen.pruned
    assert screen.view["pins"] == {"keep": [], "drop": [], "extra": 0}


def test_a_picture_is_hashed_once_for_all_that_need_its_key(session, picture, monkeypatch) -> None:
    own, hashed, sha256 = picture_key(read_image(picture)), [], hashlib.sha256

    def counting(*data):
        hashed.append(data)
        return sha256(*data)

    monkeypatch.setattr(hashlib, "sha256", counting)
    screen = last(session, picture, method="fopru", pins=Pins((0,), (), 0, own))
    assert screen.view["picture"] == screen.shown.picture == own
    assert screen.shown.pins.keep == (0,)
    assert len(hashed) == 1


@pytest.mark.parametrize("method", ["transprune", "resprune", "fopru", "fastv", "uniform"])
def test_every_method_takes_pins(session, picture, method) -> None:
    plain = last(session, picture, method=method).shown.done.pruned.trace
    trace = last(session, picture, method=method, pins=Pins((1, 2), (3,))).shown.done.pruned.trace
    assert len(trace.kept) == len(plain.kept)
    assert {1, 2} <= set(trace.kept.tolist())
    assert 3 not in trace.kept


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        (Pins((999,), ()), "999 do not exist"),
        (Pins((), tuple(range(256))), "leave at least one"),
        (Pins((5,), (5,)), "as kept and as dropped"),
        (Pins((-1,), ()), "whole numbers from 0"),
        (Pins(("a",), ()), "whole numbers from 0"),
        (Pins((1,), (), 2.5), "extra must be"),
    ],
)
def test_impossible_pins_are_a_message(session, picture, pins, words) -> None:
    screen = last(session, picture, pins=pins)
    assert 'data-kind="error"' in screen.status
    assert words in screen.status


def test_what_the_browser_sends() -> None:
    data = {"picture": "p", "keep": [1], "drop": [2, 3], "extra": 0}
    assert read_pins(json.dumps(data)) == Pins((1,), (2, 3), 0, "p")
    assert read_pins("") == read_pins(None) == Pins()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "7", '{"keep": 1}', '{"keep": [[1]], "drop": [], "extra": 0, "picture": ""}'],
)
def test_nonsense_from_the_browser(text) -> None:
    with pytest.raises(InputError, match="Clear them"):
        read_pins(text)


def test_the_script_fills_one_place() -> None:
    assert "values[1] =" in pin_script(1, 9)
    assert "slice(0, 9)" in pin_script(1, 9)


def test_pins_of_a_link_without_its_picture_are_left_out() -> None:
    """They were set on patches of another picture."""
    linked = read_query({"q": "What is this?", "method": "fopru", "pin_keep": "3"}, [])
    assert linked is not None
    assert linked.question.pins == Pins()
