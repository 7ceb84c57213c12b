"""Pins as settings: what is refused, how they are written down."""

from __future__ import annotations

import json

import pytest

from pruneviz import Chain, FastV, FoPru, Pinned, Random, TransPrune
from pruneviz.methods.ranges import read_ranges, write_ranges


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": [1, 2], "drop": [2]}, "as kept and as dropped: 2"),
        ({"keep": [-1]}, "whole numbers from 0"),
        ({"keep": [1.5]}, "whole numbers from 0"),
        ({"drop": [True]}, "whole numbers from 0"),
        ({"keep": 3}, "must be a sequence"),
        ({"extra": -1}, "extra must be"),
        ({"extra": 0.5}, "extra must be"),
    ],
)
def test_wrong_pins(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        Pinned(Random(), **settings)


def test_pins_go_around_everything_else() -> None:
    with pytest.raises(ValueError, match="not itself pinned"):
        Pinned(Pinned(Random(), keep=[1]))
    with pytest.raises(ValueError, match="around the chain"):
        Chain([Pinned(Random(), keep=[1]), FastV()])


def test_settings_are_plain_frozen_and_hashable() -> None:
    method = Pinned(FoPru(keep_ratio=0.5), keep=[5, 1, 5], drop=(2,))
    assert (method.keep, method.drop) == ((1, 5), (2,))
    assert hash(method) == hash(Pinned(FoPru(keep_ratio=0.5), [1, 5], [2]))
    assert method != Pinned(FoPru(keep_ratio=0.5), [1, 5])
    assert json.loads(json.dumps(method.parameters()))["method"]["name"] == "fopru"
    assert (method.title, method.needs.encoder) == ("FoPru + pins", True)
    assert Pinned(TransPrune()).title == "TransPrune"


def test_counts() -> None:
    method = Pinned(TransPrune(), keep=range(80), drop=range(100, 110), extra=2)
    assert [method.count(stage, 576) for stage in method.stages()] == [506, 362, 80]
    with pytest.raises(ValueError, match="12 decoder layers"):
        method.plan(12)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", ()), ("3", (3,)), ("7-9,3", (3, 7, 8, 9)), (" 1 , 1-2 ", (1, 2))]
)
def test_ranges(text, tokens) -> None:
    assert read_ranges(text) == tokens
    assert read_ranges(write_ranges(tokens)) == tokens


def test_ranges_are_written_short() -> None:
    assert write_ranges([9, 3, 8, 7, 11, 12]) == "3,7-9,11-12"


@pytest.mark.parametrize("text", ["x", "-1", "3-1", "1..4", "0-999999", "1;2"])
def test_wrong_ranges(text) -> None:
    with pytest.raises(ValueError, match="written as"):
        read_ranges(text)
