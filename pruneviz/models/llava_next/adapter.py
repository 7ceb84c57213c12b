"""The LLaVA-NeXT family: the whole image and tiles of it at a higher resolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from transformers import LlavaNextForConditionalGeneration

from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.towers import Handles
from pruneviz.models.core.vision import EncoderRecord, VisionRecord
from pruneviz.models.llava import LlavaAdapter
from pruneviz.models.llava_next.calls import Calls, sizes_of
from pruneviz.models.llava_next.layout import Layout
from pruneviz.models.llava_next.records import CropsRecord


class LlavaNextAdapter(LlavaAdapter):
    """``LlavaNextForConditionalGeneration`` (LLaVA-1.6).

    Notes
    -----
    The newline that ends each row of tiles is a visual token, as in TransPrune's published code:
    it has no place on the image, counts towards N and may be dropped. ``newlines="text"`` of
    :func:`pruneviz.prune` makes it a token of the prompt like any word.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("LLaVA-NeXT", LlavaNextForConditionalGeneration),
    )
    example: ClassVar[str] = "llava-hf/llava-v1.6-vicuna-7b-hf"
    pixels: ClassVar[tuple[str, ...]] = ("pixel_values", "image_sizes")
    encoders: ClassVar[tuple[str, ...]] = ("get_image_features",)
    """Methods of the inner model that encode."""

    def newline(self, model: Any) -> torch.Tensor | None:
        """The learned vector that is packed after each row of tiles."""
        newline: torch.Tensor = model.model.image_newline
        return newline

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch one layer of the tower, and which images its crops belong to."""

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(self.packed(model, record, calls.name, calls.arguments))

        # First, since it may refuse the model or the layer.
        watching = super().watch_vision(model, crops, encoder_layer)
        calls = Calls(model.model, self.encoders)
        return Handles(calls, watching)

    def packed(
        self, model: Any, record: VisionRecord, name: str, call: Mapping[str, Any]
    ) -> EncoderRecord:
        """The record of what is made of crops by the method `name`, called with these arguments.

        `call` has the shape of the pixels in their place.
        """
        return CropsRecord(record, self.layouts(model, call))

    def layouts(self, model: Any, call: Mapping[str, Any]) -> tuple[Layout, ...]:
        """Layout of each image that is encoded with these arguments."""
        return tuple(Layout.of(model, size) for size in sizes_of(call))

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """The tiles' grid; the whole image's is its other part."""
        return Layout.of(model, image_size).grid(image_size)
