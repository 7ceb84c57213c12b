"""InternVL as transformers ships it: tiles and a thumbnail, all tokens in one row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from transformers import InternVLForConditionalGeneration

from pruneviz.cost import EncoderShape
from pruneviz.errors import UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.tiles import TilesRecord, Tiling
from pruneviz.models.core.towers import pair, watch_tower
from pruneviz.models.core.vision import EncoderRecord, VisionRecord
from pruneviz.models.core.vision_language import VisionLanguageAdapter
from pruneviz.models.internvl.processor import InternVLStills


class InternVLAdapter(VisionLanguageAdapter):
    """``InternVLForConditionalGeneration``, checkpoints whose names end in ``-hf``."""

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("InternVL", InternVLForConditionalGeneration, InternVLStills),
    )
    example: ClassVar[str] = "OpenGVLab/InternVL3-1B-hf"
    reserved: ClassVar[tuple[str, ...]] = ("<IMG_CONTEXT>", "<img>", "</img>", "<video>")

    def own_index(self, model: Any) -> int:
        """The layer whose output the LLM gets."""
        return _index(model.config.vision_feature_layer)

    def encoder_shape(self, config: Any) -> EncoderShape:
        """Pixel shuffle joins patches before the projector."""
        shape = super().encoder_shape(config)
        return replace(shape, merge=_merge(config) ** 2)

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch the layer whose output the LLM gets, unless another is named."""

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(TilesRecord(record, _merge(model.config)))

        return watch_tower(
            self.encoder(model),
            self.encoder_index(model, encoder_layer),
            lambda: int(model.config.vision_feature_select_strategy == "default"),
            crops,
        )

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """As the image processor cuts an image of this size; a single tile is the whole image."""
        images = processor.image_processor
        size = dict(images.size)
        crop = size.get("height")
        if crop is None or crop != size.get("width"):
            raise UnsupportedModelError(f"Tiles of the size {size} are not square.")
        columns, rows = _canvas(images, image_size, crop)
        tiles = (rows, columns) if rows * columns > 1 else (0, 0)
        patch, _ = pair(model.config.vision_config.patch_size)
        return Tiling.of(tiles, crop, patch, _merge(model.config)).grid(image_size)


def _canvas(images: Any, image_size: tuple[int, int], crop: int) -> tuple[int, int]:
    """Columns and rows of tiles, by the rule in the image processor's own module."""
    choose = getattr(sys.modules[type(images).__module__], "get_optimal_tiled_canvas", None)
    if choose is None:
        raise UnsupportedModelError(
            f"{type(images).__name__} cuts images by an unknown rule; InternVL's image processor "
            "is GotOcr2ImageProcessor."
        )
    if images.max_patches <= 1:
        return 1, 1
    size = (image_size[1], image_size[0])
    columns, rows = choose(size, (crop, crop), images.min_patches, images.max_patches)
    return columns, rows


def _index(feature_layer: Any) -> int:
    """Index of the layer that makes these hidden states; those numbered 0 are the embeddings."""
    if isinstance(feature_layer, int) and feature_layer:
        return feature_layer - (feature_layer > 0)
    raise UnsupportedModelError(
        f"Features of vision layers {feature_layer} come from no single layer's attention."
    )


def _merge(config: Any) -> int:
    """Patches per side that make one visual token."""
    return round(1 / config.downsample_ratio)
