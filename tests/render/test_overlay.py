from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render import mask_overlay
from tests.render.conftest import make_trace


def middle(grid: PatchGrid, token: int) -> tuple[int, int]:
    left, top, right, bottom = grid.token_box(token)
    return int((top + bottom) / 2), int((left + right) / 2)


def test_kept_cells_keep_their_pixels_and_dropped_ones_fade(image, grid, pruned) -> None:
    before = np.asarray(image)
    after = np.asarray(mask_overlay(image, grid, pruned))
    for token in range(grid.num_tokens):
        left, top, right, bottom = map(int, grid.token_box(token))
        inner = (slice(top + 2, bottom - 2), slice(left + 2, right - 2))
        if token in pruned.kept:
            assert (after[inner] == before[inner]).all()
        else:
            usual = np.median(after[inner].reshape(-1, 3), axis=0)
            assert np.ptp(usual) <= 3, "no colour left"
            assert usual.min() > 120, "faded towards light, never black"


@pytest.mark.parametrize("colour", ["white", "black", "#f4f4f6", "#808080"])
def test_a_mask_is_seen_on_any_picture(grid, pruned, colour) -> None:
    """Of a white page and a black picture a dropped patch shows a pattern, a kept one none."""
    picture = Image.new("RGB", grid.image_size, colour)
    after = np.asarray(mask_overlay(picture, grid, pruned)).astype(int)
    for token in range(grid.num_tokens):
        left, top, right, bottom = map(int, grid.token_box(token))
        patch = after[top + 2 : bottom - 2, left + 2 : right - 2]
        dotted = np.ptp(patch.reshape(-1, 3), axis=0).max() > 40
        assert dotted == (token not in pruned.kept)


def test_interior_of_a_kept_cell_is_untouched(image, grid, pruned) -> None:
    left, top, right, bottom = map(int, grid.token_box(13))
    part = (slice(top, bottom), slice(left, right))
    after = np.asarray(mask_overlay(image, grid, pruned))
    assert (after[part] == np.asarray(image)[part]).all()


def test_unseen_region_is_hatched(image, grid, baseline) -> None:
    after = np.asarray(mask_overlay(image, grid, baseline))
    assert (after[:, 10:130] == np.asarray(image)[:, 10:130]).all(), "everything seen is kept"
    for strip in (after[:, :10], after[:, 130:]):
        assert len(np.unique(strip.mean(-1).round())) > 2, "a pattern, not one tone"
        assert not (strip == np.asarray(image)[:, :10]).all()


def test_every_stage_can_be_drawn(image, grid, pruned) -> None:
    first = np.asarray(mask_overlay(image, grid, pruned, 0))
    last = np.asarray(mask_overlay(image, grid, pruned, 1))
    y, x = middle(grid, 3)
    assert (first[y, x] == np.asarray(image)[y, x]).all()
    assert not (last[y, x] == np.asarray(image)[y, x]).all()
    with pytest.raises(ValueError, match="2 stages"):
        mask_overlay(image, grid, pruned, 2)


def test_an_image_of_another_size_is_refused(grid, pruned) -> None:
    with pytest.raises(ValueError, match="140 x 80"):
        mask_overlay(Image.new("RGB", (80, 140)), grid, pruned)


@pytest.mark.parametrize(
    ("size", "view"),
    [
        ((90, 200), (0, 55, 90, 145)),
        ((200, 90), (0, 0, 200, 90)),
        ((1, 1), (0, 0, 1, 1)),
        ((3000, 12), (1494, 0, 1506, 12)),
        ((50, 50), (-10, -10, 60, 60)),
    ],
)
def test_odd_geometries(size, view) -> None:
    grid = PatchGrid.regular(size, 5, 3, view)
    trace = make_trace([[0, 7, 14]], (2,), 15)
    assert mask_overlay(Image.new("RGB", size, "red"), grid, trace).size == size


def test_portrait_rows_run_down() -> None:
    grid = PatchGrid.regular((60, 120), 4, 2, (0, 0, 60, 120))
    after = np.asarray(
        mask_overlay(Image.new("RGB", (60, 120), "red"), grid, make_trace([[6, 7]], (1,), 8))
    )
    assert (after[95:, :] == (255, 0, 0)).all(), "the last row of cells is the bottom quarter"
    assert not (after[:85, :] == (255, 0, 0)).all(-1).any()


def test_tokens_with_no_place_are_ignored() -> None:
    grid = PatchGrid.regular((40, 40), 2, 2, (0, 0, 40, 40), leading=1)
    after = np.asarray(
        mask_overlay(Image.new("RGB", (40, 40), "red"), grid, make_trace([[0, 1]], (1,), 5))
    )
    assert (after[5, 5] == (255, 0, 0)).all()
    assert not (after[5, 30] == (255, 0, 0)).all()
