"""Which pixels each visual token shows, checked against the real image processors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.models import find_adapter
from tests.helpers import tiny

SIDE, PATCH, GRID = 84, 14, 6
SIZES = [(84, 84), (200, 200), (301, 200), (200, 301), (640, 101), (97, 480), (50, 40), (333, 500)]


def clip_processor(**settings: Any) -> Any:
    """The Pillow version where transformers has several, else the only one."""
    import transformers

    name = "CLIPImageProcessorPil" if hasattr(transformers, "CLIPImageProcessorPil") else None
    cls = getattr(transformers, name or "CLIPImageProcessor")
    usual = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    return cls(**{**usual, **settings})


def squashing_processor() -> Any:
    """CLIP's, but all of a picture is squashed to the square."""
    return clip_processor(do_center_crop=False, size={"height": SIDE, "width": SIDE})


def siglip_processor() -> Any:
    import transformers

    cls = getattr(transformers, "SiglipImageProcessorPil", transformers.SiglipImageProcessor)
    return cls(size={"height": SIDE, "width": SIDE})


def grid_of(kind: str, images: Any, size: tuple[int, int]) -> PatchGrid:
    model = tiny(kind)
    cls_tokens = int(kind == "llava_clip")
    processor = SimpleNamespace(image_processor=images, num_additional_image_tokens=cls_tokens)
    return find_adapter(model).patch_grid(processor, model, size)


def brightness(images: Any, picture: Image.Image) -> torch.Tensor:
    """Mean of every patch of the model's input, ``[rows * columns]``."""
    pixels = images(images=picture, return_tensors="pt")["pixel_values"][0].mean(0)
    assert tuple(pixels.shape) == (SIDE, SIDE)
    patches = pixels.unfold(0, PATCH, PATCH).unfold(1, PATCH, PATCH)
    return patches.mean((-1, -2)).flatten()


CASES = [
    ("llava_clip", clip_processor),
    ("llava_clip", squashing_processor),
    ("llava_siglip", siglip_processor),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kind", "build"), CASES)
def test_a_marked_box_lights_exactly_its_token(
    kind: str, build: Any, size: tuple[int, int]
) -> None:
    """Painting a token's box white changes that patch of the model's input most by far."""
    images = build()
    grid = grid_of(kind, images, size)
    assert (grid.rows, grid.columns, grid.num_tokens) == (GRID, GRID, GRID * GRID)
    blank = Image.new("RGB", size)
    dark = brightness(images, blank)
    for token in (0, 5, 14, 21, 30, 35):
        box = grid.token_box(token)
        assert box is not None
        left, top, right, bottom = (round(v) for v in box)
        marked = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        marked[top:bottom, left:right] = 255
        change = brightness(images, Image.fromarray(marked)) - dark
        assert int(change.argmax()) == token
        others = change.clone()
        others[token] = 0.0
        assert float(others.max()) < 0.35 * float(change.max())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kind", "build"), CASES)
def test_the_seen_rectangle_is_what_the_model_sees(
    kind: str, build: Any, size: tuple[int, int]
) -> None:
    """Pixels well outside it do not matter, pixels inside do."""
    images = build()
    grid = grid_of(kind, images, size)
    left, top, right, bottom = grid.seen
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    dark = brightness(images, Image.new("RGB", size))
    marked = np.full((size[1], size[0], 3), 255, dtype=np.uint8)
    edge = 2 + int(3 * max(size) / SIDE)  # the reach of the resampling filter
    y0, y1 = max(0, int(top) - edge), int(bottom) + edge
    x0, x1 = max(0, int(left) - edge), int(right) + edge
    marked[y0:y1, x0:x1] = 0
    outside = brightness(images, Image.fromarray(marked)) - dark
    assert float(outside.abs().max()) < 1e-3
    lit = brightness(images, Image.new("RGB", size, (255, 255, 255))) - dark
    assert float(lit.min()) > 1.0


def test_boxes_tile_the_seen_rectangle() -> None:
    grid = grid_of("llava_clip", clip_processor(), (301, 200))
    areas = (grid.boxes[:, 2] - grid.boxes[:, 0]) * (grid.boxes[:, 3] - grid.boxes[:, 1])
    left, top, right, bottom = grid.seen
    assert float(areas.sum()) == pytest.approx((right - left) * (bottom - top), rel=1e-4)
    assert grid.image_size == (301, 200)


def test_padding_to_a_square() -> None:
    """With do_pad the whole image is seen and the padding lies outside of it."""
    images = SimpleNamespace(
        do_pad=True,
        size={"shortest_edge": SIDE},
        do_center_crop=True,
        crop_size={"height": SIDE, "width": SIDE},
    )
    grid = grid_of("llava_clip", images, (200, 100))
    assert grid.seen == pytest.approx((0, 0, 200, 100))
    # 200 x 200 square: 50 pixels of padding above, cells of 33.3 pixels.
    assert grid.token_box(0) == pytest.approx((0, 0, 33.33, 0), abs=0.1)
    assert grid.token_box(6) == pytest.approx((0, 0, 33.33, 16.67), abs=0.1)
    assert grid.token_box(12) == pytest.approx((0, 16.67, 33.33, 50), abs=0.1)
    assert grid.token_box(35) == pytest.approx((166.67, 100, 200, 100), abs=0.1)


def test_tokens_without_a_place() -> None:
    grid = PatchGrid.regular((60, 40), 2, 3, (0, 0, 60, 40), leading=1)
    assert grid.num_tokens == 7
    assert grid.token_box(0) is None
    assert grid.token_box(1) == (0, 0, 20, 20)
    assert grid.token_box(6) == (40, 20, 60, 40)
    cells = grid.to_cells(np.arange(7))
    assert cells.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert np.isnan(PatchGrid.regular((4, 4), 1, 1, (0, 0, 4, 4)).to_cells(np.array([np.nan])))


def test_a_cls_token_that_the_llm_gets_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny("llava_clip").config
    monkeypatch.setattr(config, "vision_feature_select_strategy", "full")
    grid = grid_of("llava_clip", clip_processor(), (84, 84))
    assert grid.num_tokens == 37
    assert grid.token_box(0) is None
    assert grid.token_box(1) == (0, 0, 14, 14)


def test_grids_are_not_the_square_root_of_the_count() -> None:
    images = SimpleNamespace(size={"height": 56, "width": 112})
    grid = grid_of("llava_siglip", images, (640, 480))
    assert (grid.rows, grid.columns) == (4, 8)
    assert grid.token_box(8) == pytest.approx((0, 120, 80, 240))
