"""A value of every patch over the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render import effect_overlay
from pruneviz.render.colours import CONTOUR, cividis
from tests.render.conftest import COUNT


def colour_at(sheet: Image.Image, x: int, y: int) -> np.ndarray:
    return np.array(sheet.getpixel((x, y))).astype(int)


def test_the_largest_value_is_brightest_and_nothing_stays_faded(
    image: Image.Image, grid: PatchGrid
) -> None:
    values = np.full(COUNT, np.nan)
    values[[0, 1, 7]] = 0.0, 2.0, 1.0
    sheet = effect_overlay(image, grid, values)
    # Cells of 20 pixels from x = 10 on.
    places = (20, 10), (40, 10), (40, 30), (60, 30)
    low, high, middle, none = (colour_at(sheet, *at) for at in places)
    assert np.abs(none - none.mean()).max() < 3, "grey"
    table = cividis().astype(int)
    for seen, wanted in ((low, table[0]), (high, table[255]), (middle, table[128])):
        pale = np.array([244, 244, 246])
        covered = (seen - 0.7 * wanted) / 0.3
        assert ((covered >= 0) & (covered <= pale + 5)).all()
    assert high.sum() > middle.sum() > low.sum()
    assert sheet.size[1] > image.size[1], "a colour bar"


def test_a_line_runs_around_what_is_kept(image: Image.Image, grid: PatchGrid) -> None:
    values = np.ones(COUNT)
    plain, marked = (
        np.array(effect_overlay(image, grid, values, kept)) for kept in (None, np.array([7]))
    )
    changed = np.argwhere((plain != marked).any(-1))
    assert (plain == np.array(CONTOUR)).all(-1).sum() < 5
    assert changed.min(0).tolist() == [19, 29]
    assert changed.max(0).tolist() == [40, 50]


def test_where_the_image_is_seen_twice_the_larger_value_shows(
    image: Image.Image, grid: PatchGrid
) -> None:
    twice = replace(
        grid,
        token_cell=np.append(np.arange(COUNT), [-1] * COUNT),
        others=(replace(grid, token_cell=np.append([-1] * COUNT, np.arange(COUNT))),),
    )
    values = np.append(np.zeros(COUNT), np.full(COUNT, np.nan))
    values[COUNT + 7], values[8] = 1.0, 1.0
    sheet = effect_overlay(image, twice, values)
    assert colour_at(sheet, 40, 30).sum() > colour_at(sheet, 40, 10).sum()
    assert colour_at(sheet, 60, 30).sum() > colour_at(sheet, 60, 10).sum()


def test_what_cannot_be_drawn(image: Image.Image, grid: PatchGrid) -> None:
    with pytest.raises(ValueError, match="patches lie on one of"):
        effect_overlay(image.resize((10, 10)), grid, np.ones(COUNT))
    with pytest.raises(ValueError, match="scale must be"):
        effect_overlay(image, grid, np.ones(COUNT), scale="cubic")
    nothing = effect_overlay(image, grid, np.full(COUNT, np.nan))
    assert nothing.size[0] == 240
