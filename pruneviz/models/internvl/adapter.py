"""InternVL as transformers ships it: tiles and a thumbnail, all tokens in one row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar

from transformers import InternVLForConditionalGeneration

from pruneviz.errors import UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.adapter import VisionLanguageAdapter
from pruneviz.models.core.tiles import TilesRecord, Tiling
from pruneviz.models.core.vision import EncoderRecord, VisionRecord, pair, tower_layer, watch_tower


class InternVLAdapter(VisionLanguageAdapter):
    """``InternVLForConditionalGeneration``, checkpoints whose names end in ``-hf``."""

    family: ClassVar[str] = "InternVL (InternVLForConditionalGeneration)"
    example: ClassVar[str] = "OpenGVLab/InternVL3-1B-hf"
    reserved: ClassVar[tuple[str, ...]] = ("<IMG_CONTEXT>", "<img>", "</img>", "<video>")

    @classmethod
    def matches(cls, model: Any) -> bool:
        """Whether it is an InternVL model."""
        return isinstance(model, InternVLForConditionalGeneration)

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], layer: int | None = None
    ) -> Any:
        """Watch the layer whose output the LLM gets, unless another is asked for."""

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(TilesRecord(record, _merge(model)))

        config, tower = model.config, model.model.vision_tower
        return watch_tower(
            tower,
            self.vision_layer(model, layer),
            lambda: int(config.vision_feature_select_strategy == "default"),
            crops,
        )

    def vision_layer(self, model: Any, asked: int | None = None) -> int:
        """The layer whose output the LLM gets, unless another is asked for."""
        own = _layer(model.config.vision_feature_layer)
        return tower_layer(model.model.vision_tower, own, asked)

    def features(self, model: Any, inputs: Any) -> Any:
        """Merged tokens of every crop, ``[crops, tokens, hidden]``."""
        return model.model.get_image_features(
            pixel_values=inputs["pixel_values"], return_dict=True
        ).pooler_output

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
        return Tiling.of(tiles, crop, patch, _merge(model)).grid(image_size)


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


def _layer(feature_layer: Any) -> int:
    """Encoder layer that makes these hidden states; those of index 0 are the embeddings."""
    if isinstance(feature_layer, int) and feature_layer:
        return feature_layer - (feature_layer > 0)
    raise UnsupportedModelError(
        f"Features of vision layers {feature_layer} come from no single layer's attention."
    )


def _merge(model: Any) -> int:
    return round(1 / model.config.downsample_ratio)
