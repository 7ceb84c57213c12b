from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from pruneviz.render import layer_sheet
from pruneviz.render.colours import MISSING, cividis, colourise
from pruneviz.render.scales import SCALES, to_unit, value_range


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("signal", ["ttv", "iga", "residual"])
def test_sheet_of_every_signal_and_scale(pruned, grid, signal, scale) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sheet = layer_sheet(pruned, grid, signal, scale)
    pixels = np.asarray(sheet)
    assert sheet.mode == "RGB"
    assert sheet.width >= 5 * 100
    assert (pixels == MISSING).all(-1).any(), "dropped cells are grey"


@pytest.mark.parametrize("scale", SCALES)
def test_sheet_without_a_value_and_with_equal_values(pruned, grid, scale) -> None:
    """Nothing but grey where there is no value; one colour of the map where all are equal."""
    none = np.full((5, 24), np.nan, dtype=np.float32)
    grey = np.asarray(sheet_of(pruned, grid, none, scale))
    for values in (np.ones_like(none), np.zeros_like(none)):
        filled = np.asarray(sheet_of(pruned, grid, values, scale))
        # Beside the cells only the scale's numbers change.
        cells = (grey == MISSING).all(-1) & (filled != grey).any(-1)
        assert cells.mean() > 0.3
        assert len(np.unique(filled[cells], axis=0)) == 1
        assert (filled[cells][0] == cividis()).all(-1).any()


def sheet_of(trace, grid, values, scale):
    return layer_sheet(replace(trace, signals={"ttv": values}), grid, "ttv", scale)


def test_errors_name_the_choices(pruned, grid) -> None:
    with pytest.raises(ValueError, match="ttv, iga, residual"):
        layer_sheet(pruned, grid, "attention")
    with pytest.raises(ValueError, match="linear, log, rank"):
        layer_sheet(pruned, grid, "ttv", "cubic")


def test_linear_and_log_share_one_scale_over_layers() -> None:
    values = np.array([[1.0, 10.0], [100.0, np.nan]])
    limits = value_range(values, "log")
    assert limits == (1.0, 100.0)
    np.testing.assert_allclose(to_unit(values, "log", limits), [[0, 0.5], [1, np.nan]])
    linear = to_unit(values, "linear", value_range(values, "linear"))
    np.testing.assert_allclose(linear, [[0, 9 / 99], [1, np.nan]])


def test_log_copes_with_zero() -> None:
    values = np.array([[0.0, 1e-12, 1.0]])
    unit = to_unit(values, "log", value_range(values, "log"))
    np.testing.assert_allclose(unit, [[0.0, 0.0, 1.0]])


def test_rank_is_within_a_layer_and_shares_ties() -> None:
    unit = to_unit(np.array([[5.0, 1.0, 3.0], [2.0, 2.0, np.nan]]), "rank", (0, 1))
    np.testing.assert_allclose(unit, [[1, 0, 0.5], [0.5, 0.5, np.nan]])


def test_colours_end_to_end() -> None:
    shown = colourise(np.array([0.0, 1.0, np.nan]))
    assert (shown[0] == cividis()[0]).all()
    assert (shown[1] == cividis()[-1]).all()
    assert tuple(shown[2]) == MISSING
