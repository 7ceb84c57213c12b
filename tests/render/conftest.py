from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.trace import StageTrace, Trace

ROWS, COLUMNS, LAYERS = 4, 6, 5
COUNT = ROWS * COLUMNS


def make_trace(kept_per_stage: list[list[int]], layers: tuple[int, ...], count: int) -> Trace:
    alive, stages = np.arange(count), []
    for layer, kept in zip(layers, kept_per_stage, strict=True):
        kept_array = np.array(kept, dtype=np.int64)
        scores = np.where(np.isin(alive, kept_array), 1.0, 0.0) + alive / 1000
        stages.append(
            StageTrace(
                layer,
                "transprune",
                alive,
                kept_array,
                scores.astype(np.float32),
                {"ttv": scores.astype(np.float32) / 2},
            )
        )
        alive = kept_array
    tokens = tuple(
        len(next((s.kept for s in reversed(stages) if s.layer < layer), range(count)))
        for layer in range(1, LAYERS + 1)
    )
    rng = np.random.default_rng(0)
    signal = rng.lognormal(size=(LAYERS, count)).astype(np.float32)
    for stage in stages:
        gone = np.setdiff1d(np.arange(count), stage.kept)
        signal[stage.layer :, gone] = np.nan
    return Trace(
        "transprune" if stages else "baseline",
        {},
        "renumber",
        count,
        9,
        tuple(stages),
        tokens,
        tuple(n + 9 for n in tokens),
        {"ttv": signal, "iga": signal / 7, "residual": signal * 3},
    )


@pytest.fixture
def image() -> Image.Image:
    pixels = np.zeros((80, 140, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(90, 250, 140)
    pixels[..., 1] = 40
    pixels[..., 2] = np.linspace(0, 200, 80)[:, None]
    return Image.fromarray(pixels)


@pytest.fixture
def grid() -> PatchGrid:
    """A landscape image of which the middle 120 x 80 is seen, in 4 x 6 cells of 20 px."""
    return PatchGrid.regular((140, 80), ROWS, COLUMNS, (10, 0, 130, 80))


@pytest.fixture
def pruned() -> Trace:
    first = [t for t in range(COUNT) if t % 4]
    return make_trace([first, [1, 2, 7, 9, 13]], (1, 3), COUNT)


@pytest.fixture
def baseline() -> Trace:
    return make_trace([], (), COUNT)
