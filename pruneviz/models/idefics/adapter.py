"""SmolVLM and Idefics3: tiles and the whole image, with marker words between their tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from PIL import Image
from transformers import Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration

from pruneviz.geometry import PatchGrid
from pruneviz.models.core.adapter import VisionLanguageAdapter
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.tiles import TilesRecord, Tiling
from pruneviz.models.core.vision import (
    EncoderRecord,
    Handles,
    VisionRecord,
    pair,
    tower_layer,
    watch_tower,
)


class IdeficsAdapter(VisionLanguageAdapter):
    """``SmolVLMForConditionalGeneration`` and ``Idefics3ForConditionalGeneration``.

    Notes
    -----
    Before the tokens of every crop stand words that name its row and column. They are text: they
    always stay, and the question is what follows the last visual token.
    """

    family: ClassVar[str] = (
        "SmolVLM and Idefics3 (SmolVLMForConditionalGeneration, Idefics3ForConditionalGeneration)"
    )
    example: ClassVar[str] = "HuggingFaceTB/SmolVLM2-2.2B-Instruct"
    reserved: ClassVar[tuple[str, ...]] = (
        "<image>",
        "<video>",
        "<fake_token_around_image>",
        "<global-img>",
    )

    @classmethod
    def matches(cls, model: Any) -> bool:
        """Whether it is one of the two."""
        return isinstance(
            model, (SmolVLMForConditionalGeneration, Idefics3ForConditionalGeneration)
        )

    def decoder(self, model: Any) -> Decoder:
        """The language model."""
        return Decoder.of(model.model.text_model, type(model).__name__)

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], layer: int | None = None
    ) -> Any:
        """Watch the tower's last layer, unless another is asked for.

        FoPru names the penultimate layer because LLaVA uses its features; here the last one's
        are used.
        """
        tower, masked = model.model.vision_model, [False]
        index = self.vision_layer(model, layer)

        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            mask = kwargs.get("patch_attention_mask", args[1] if len(args) > 1 else None)
            masked[0] = isinstance(mask, torch.Tensor) and not bool(mask.all())

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(TilesRecord(record, model.config.scale_factor, masked[0]))

        first = tower.register_forward_pre_hook(note, with_kwargs=True)
        return Handles(first, watch_tower(tower, index, lambda: 0, crops))

    def vision_layer(self, model: Any, asked: int | None = None) -> int:
        """The last layer, unless another is asked for."""
        return tower_layer(model.model.vision_model, -1, asked)

    def features(self, model: Any, inputs: Any) -> Any:
        """Merged tokens of every prompt's images, a sequence of ``[tokens, hidden]``."""
        return model.model.get_image_features(
            pixel_values=inputs["pixel_values"],
            pixel_attention_mask=inputs.get("pixel_attention_mask"),
            return_dict=True,
        ).pooler_output

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """The tiles that the processor itself makes of an image of this size."""
        blank = Image.new("RGB", image_size)
        seen = processor.image_processor(
            images=blank, return_row_col_info=True, return_tensors="pt"
        )
        tiles = (int(seen["rows"][0][0]), int(seen["cols"][0][0]))
        patch, _ = pair(model.config.vision_config.patch_size)
        crop = seen["pixel_values"].shape[-1]
        return Tiling.of(tiles, crop, patch, model.config.scale_factor).grid(image_size)
