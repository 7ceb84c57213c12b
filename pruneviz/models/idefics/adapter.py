"""SmolVLM and Idefics3: tiles and the whole image, with marker words between their tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
from PIL import Image
from transformers import Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration

from pruneviz.cost import EncoderShape
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.tiles import TilesRecord, Tiling
from pruneviz.models.core.towers import Handles, pair, watch_tower
from pruneviz.models.core.vision import EncoderRecord, VisionRecord
from pruneviz.models.core.vision_language import VisionLanguageAdapter
from pruneviz.models.idefics.processor import SmolVLMStills


class IdeficsAdapter(VisionLanguageAdapter):
    """``SmolVLMForConditionalGeneration`` and ``Idefics3ForConditionalGeneration``.

    Notes
    -----
    Before the tokens of every crop stand words that name its row and column. They are text: they
    always stay, and the question is what follows the last visual token.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        # Its own processor spells numbers out in what it says of videos.
        Architecture("SmolVLM", SmolVLMForConditionalGeneration, SmolVLMStills, ("num2words",)),
        Architecture("Idefics3", Idefics3ForConditionalGeneration),
    )
    example: ClassVar[str] = "HuggingFaceTB/SmolVLM2-2.2B-Instruct"
    tower: ClassVar[str] = "vision_model"
    projector: ClassVar[str] = "connector"
    language_model: ClassVar[str] = "text_model"
    pixels: ClassVar[tuple[str, ...]] = ("pixel_values", "pixel_attention_mask")
    reserved: ClassVar[tuple[str, ...]] = (
        "<image>",
        "<video>",
        "<fake_token_around_image>",
        "<global-img>",
    )

    def own_index(self, model: Any) -> int:
        """The last layer, whose features are used here."""
        return -1

    def encoder_shape(self, config: Any) -> EncoderShape:
        """Pixel shuffle joins patches; a single matrix follows."""
        shape = super().encoder_shape(config)
        return replace(shape, merge=config.scale_factor**2, projector_width=0)

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch one layer of the tower, and whether it is told to ignore patches."""
        tower, masked = self.encoder(model), [False]
        index = self.encoder_index(model, encoder_layer)

        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            mask = kwargs.get("patch_attention_mask", args[1] if len(args) > 1 else None)
            masked[0] = isinstance(mask, torch.Tensor) and not bool(mask.all())

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(TilesRecord(record, model.config.scale_factor, masked[0]))

        # First, since it may refuse the tower.
        watching = watch_tower(tower, index, lambda: 0, crops)
        return Handles(tower.register_forward_pre_hook(note, with_kwargs=True), watching)

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
