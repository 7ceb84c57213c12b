"""Pinned patches in exported pictures: marked where they lie, named in legend and caption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render import comparison_figure, mask_overlay
from pruneviz.render.pins import COLOURS, pin_mark
from pruneviz.trace import Trace
from tests.render.conftest import make_trace

KEPT, DROPPED = 13, 4


@pytest.fixture
def pinned(pruned) -> Trace:
    values = {"keep": [KEPT], "drop": [DROPPED], "extra": 0, "method": {"name": "transprune"}}
    return replace(pruned, method="pinned", parameters=values)


def changed(image, grid, pinned, pruned, token) -> np.ndarray:
    left, top, right, bottom = map(int, grid.token_box(token))
    part = (slice(top, bottom), slice(left, right))
    marked, plain = (np.asarray(mask_overlay(image, grid, t, 0))[part] for t in (pinned, pruned))
    return marked[(marked != plain).any(-1)].astype(int)


@pytest.mark.parametrize(("token", "kind"), [(KEPT, "keep"), (DROPPED, "drop")])
def test_a_pinned_patch_carries_its_mark(image, grid, pinned, pruned, token, kind) -> None:
    pixels = changed(image, grid, pinned, pruned, token)
    near = np.abs(pixels - np.array(COLOURS[kind])).max(-1) < 12
    assert near.sum() > 20, "its colour"
    assert (pixels.min(-1) > 200).sum() > 4, "and a light stroke on it"


def test_other_patches_carry_none(image, grid, pinned, pruned) -> None:
    for token in set(range(24)) - {KEPT, DROPPED}:
        assert not len(changed(image, grid, pinned, pruned, token))


def test_both_marks_differ_in_shape() -> None:
    keep, drop = (np.asarray(pin_mark(kind, 10))[..., 3] for kind in ("keep", "drop"))
    assert keep.shape == drop.shape
    assert keep[4, 4] < 40 < 250 < drop[4, 4], "a disc has no corners"


def test_the_figure_says_what_the_marks_mean(image, grid, baseline, pinned, pruned) -> None:
    def words(trace) -> list[str]:
        return [t.get_text() for t in comparison_figure(image, grid, baseline, trace).texts]

    assert {"patch kept by hand", "patch dropped by hand"} <= set(words(pinned))
    assert not any("by hand" in word for word in words(pruned))


def test_a_pinned_token_without_a_place_is_left_out() -> None:
    grid = PatchGrid.regular((40, 40), 2, 2, (0, 0, 40, 40), leading=1)
    values = {"keep": [0], "drop": [], "extra": 0, "method": {"name": "random"}}
    plain = make_trace([[0, 1]], (1,), 5)
    trace = replace(plain, method="pinned", parameters=values)
    image = Image.new("RGB", (40, 40), "red")
    same = np.asarray(mask_overlay(image, grid, trace)) == mask_overlay(image, grid, plain)
    assert same.all()
