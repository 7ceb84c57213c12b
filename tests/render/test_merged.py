"""Groups of merged patches in pictures for files and papers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pruneviz.geometry import PatchGrid
from pruneviz.render import comparison_figure, merged_overlay
from pruneviz.trace import Trace
from tests.render.conftest import COUNT

LOST, ALONE = 23, 13
HELD_BY = {1: (0, 1, 2, 3, 6, 7, 8), 9: (9, 4, 5, 10, 11, 14, 15, 16, 17, 22), 18: (18, 12, 19, 20)}


@pytest.fixture
def merged(pruned) -> Trace:
    """Four tokens are left: three of groups, one of itself alone; two patches are lost."""
    into = np.full(COUNT, -1)
    into[ALONE] = ALONE
    for holder, members in HELD_BY.items():
        into[list(members)] = holder
    stage = replace(
        pruned.stages[0],
        layer=0,
        kept=np.array([1, 9, ALONE, 18]),
        into=into,
    )
    return replace(pruned, stages=(stage,), tokens_per_layer=(4,) * 5)


def corner(grid: PatchGrid, token: int, pixels: np.ndarray) -> np.ndarray:
    """A pixel of the token's patch that no dot covers."""
    left, top, *_ = grid.token_box(token)
    return pixels[int(top) + 2, int(left) + 2].astype(int)


def test_patches_of_a_token_share_its_colour(image, grid, merged) -> None:
    before, after = np.asarray(image), np.asarray(merged_overlay(image, grid, merged))
    tints = {}
    for holder, members in HELD_BY.items():
        added = [
            corner(grid, token, after) - 0.45 * corner(grid, token, before) for token in members
        ]
        tints[holder] = np.mean(added, axis=0)
        assert np.abs(np.array(added) - tints[holder]).max() <= 1
    for one in tints:
        for other in tints:
            assert one == other or np.abs(tints[one] - tints[other]).max() > 30
    assert (corner(grid, ALONE, after) == corner(grid, ALONE, before)).all()
    assert np.ptp(corner(grid, LOST, after)) <= 3, "lost patches lose their colour"


def test_a_dot_is_on_every_token_that_is_left(image, grid, merged) -> None:
    after = np.asarray(merged_overlay(image, grid, merged))
    for token in range(COUNT):
        left, top, right, bottom = grid.token_box(token)
        middle = after[int((top + bottom) / 2), int((left + right) / 2)]
        assert (middle.min() > 240) == (token in merged.kept)


def test_what_was_not_seen_is_hatched(image, grid, merged) -> None:
    before, after = np.asarray(image), np.asarray(merged_overlay(image, grid, merged))
    for strip in (slice(0, 10), slice(130, 140)):
        changed = (after[:, strip] != before[:, strip]).any(-1)
        assert 0.1 < changed.mean() < 0.5, "lines over the untouched picture"


def test_an_image_of_another_size_is_refused(image, grid, merged) -> None:
    with pytest.raises(ValueError, match="but the patches lie on one of 140 x 80"):
        merged_overlay(image.resize((70, 40)), grid, merged)


def test_groups_that_a_later_stage_dropped_are_no_groups(merged) -> None:
    into = merged.stages[0].into
    alone = replace(merged.stages[0], into=np.where(into == np.arange(COUNT), into, -1))
    assert not replace(merged, stages=(alone,)).has_groups
    later = replace(
        merged.stages[0],
        layer=3,
        alive=merged.kept,
        kept=np.array([ALONE]),
        into=None,
        scores=np.zeros(4, dtype=np.float32),
        components={},
    )
    assert not replace(merged, stages=(*merged.stages, later)).has_groups


def test_the_figure_has_a_panel_of_groups_for_methods_that_merge(
    image, grid, baseline, pruned, merged
) -> None:
    def names(trace: Trace) -> list[str]:
        return [text.get_text() for text in comparison_figure(image, grid, baseline, trace).texts]

    assert merged.has_groups
    assert not pruned.has_groups
    assert "Merged groups" in names(merged)
    assert "Merged groups" not in names(pruned)
    twice = replace(grid, title="tiles", others=(replace(grid, title="whole image"),))
    figure = comparison_figure(image, twice, baseline, merged)
    shown = [text.get_text() for text in figure.texts]
    assert shown[-2:] == ["Merged groups: tiles", "Merged groups: whole image"]


@pytest.mark.parametrize("stages", [1, 2])
def test_the_legend_covers_no_line(image, grid, baseline, pruned, stages) -> None:
    """Nor a picture, its name or the axes, where the staircase is narrow and where it is wide."""
    trace = replace(pruned, stages=pruned.stages[:stages])
    figure = comparison_figure(image, grid, baseline, trace, label="A method of some length")
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = next(axes for axes in figure.axes if axes.get_legend())
    legend = axes.get_legend().get_window_extent(renderer)
    assert legend.y0 >= axes.get_window_extent().y1 - 0.5
    assert legend.x1 <= figure.get_size_inches()[0] * figure.dpi
    names = [text.get_window_extent(renderer) for text in figure.texts]
    others = [other.get_window_extent() for other in figure.axes if other is not axes]
    assert not any(legend.overlaps(box) for box in [*names, *others])
