"""A strip costs no more than what a model can see of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessor

from pruneviz.engine.prepared import seen


def strip(width: int, height: int) -> Image.Image:
    """A picture that is rough, but not so rough that half a pixel makes it another."""
    shape = (height // 4, width // 4, 3)
    values = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def loaded(processor: CLIPImageProcessor | None) -> SimpleNamespace:
    return SimpleNamespace(processor=SimpleNamespace(image_processor=processor))


@pytest.mark.parametrize("size", [(640, 20), (20, 640), (641, 21)])
def test_the_processor_gives_the_same_for_the_middle_of_a_strip(size) -> None:
    processor = CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    image = strip(*size)
    middle = seen(loaded(processor), image)
    assert max(middle.size) in (4 * min(size), 4 * min(size) + 1)
    whole, part = (
        np.asarray(processor(one, return_tensors="np")["pixel_values"]) for one in (image, middle)
    )
    assert np.abs(whole - part).mean() < 0.15 * whole.std()


def test_a_crop_wider_than_the_shorter_side_keeps_more() -> None:
    processor = CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 42, "width": 42}
    )
    assert seen(loaded(processor), strip(640, 20)).size == (160, 20)


def test_what_is_seen_whole_is_handed_on_whole() -> None:
    image = strip(640, 20)
    cuts_not = CLIPImageProcessor(do_center_crop=False)
    squashes = CLIPImageProcessor(size={"height": 28, "width": 28})
    assert all(seen(loaded(one), image) is image for one in (cuts_not, squashes, None))
    plain = CLIPImageProcessor()
    assert seen(loaded(plain), strip(80, 20)).size == (80, 20)
