"""Uploads of any shape on the embedded model: squashed to its square, nothing is cut off."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPImageProcessorPil
from transformers.utils import is_torchvision_available

from pruneviz import load_model
from pruneviz.engine import Session
from pruneviz.methods import get_method
from pruneviz.render import mask_overlay
from pruneviz.render.payload import picture_payload
from pruneviz.shipped import assets_dir

SIDE, PATCH, GRID = 224, 14, 16
SHAPES = [(448, 224), (600, 301), (120, 360), (101, 303)]
"""Width and height: of 2:1 and of 1:3."""
BACKENDS = [
    CLIPImageProcessorPil,
    pytest.param(
        CLIPImageProcessor,
        marks=pytest.mark.skipif(not is_torchvision_available(), reason="needs torchvision"),
    ),
]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model("embedded", device="cpu"))


def brightness(images, picture: Image.Image) -> torch.Tensor:
    pixels = images(images=picture, return_tensors="pt")["pixel_values"][0].mean(0)
    assert tuple(pixels.shape) == (SIDE, SIDE)
    return pixels.unfold(0, PATCH, PATCH).unfold(1, PATCH, PATCH).mean((-1, -2)).flatten()


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_marked_patch_is_the_cell_that_it_lies_in(session, backend, size) -> None:
    images = backend.from_pretrained(assets_dir() / "embedded")
    loaded = session.loaded
    grid = loaded.adapter.patch_grid(SimpleNamespace(image_processor=images), loaded.model, size)
    assert (grid.rows, grid.columns, grid.num_tokens) == (GRID, GRID, GRID * GRID)
    assert grid.seen == (0, 0, *size)
    dark = brightness(images, Image.new("RGB", size))
    width, height = size[0] / GRID, size[1] / GRID
    for row, column in ((0, 0), (0, 15), (3, 12), (8, 1), (15, 0), (15, 15)):
        left, top, right, bottom = (round(v) for v in grid.token_box(row * GRID + column))
        assert abs(left - column * width) <= 1
        assert abs(top - row * height) <= 1
        marked = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        marked[top:bottom, left:right] = 255
        change = brightness(images, Image.fromarray(marked)) - dark
        assert int(change.argmax()) == row * GRID + column


@pytest.mark.parametrize("size", SHAPES)
def test_pictures_of_a_run_cover_the_whole_upload(session, size) -> None:
    """Each patch is kept or dropped where it lies, up to the edges, and nothing is hatched."""
    values = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    prepared = session.prepare(picture, "What is this?")
    result = session.compare(prepared, get_method("random", num_layers=session.num_layers))
    grid, trace = result.grid, result.pruned.trace
    everything = replace(trace, stages=())
    assert np.array_equal(np.asarray(mask_overlay(picture, grid, everything)), values)
    drawn = np.asarray(mask_overlay(picture, grid, trace))
    assert drawn.shape == values.shape
    same = (drawn == values).all(-1)
    for token in range(grid.num_tokens):
        left, top, right, bottom = (round(v) for v in grid.token_box(token))
        # The outline of what is kept runs along the inside of what is dropped.
        assert same[top:bottom, left:right].all() == (token in trace.kept)
    shown = picture_payload(picture, grid)
    assert shown["window"] == [0, 0, *size]
    assert shown["seen"] == [0, 0, *size]
