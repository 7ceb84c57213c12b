"""Qwen2.5-VL and Qwen2-VL: images of any size, 2 x 2 patches a token, M-RoPE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLForConditionalGeneration

from pruneviz.cost import EncoderShape
from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.vision_language import VisionLanguageAdapter
from pruneviz.models.qwen_vl.processor import StillImageProcessor
from pruneviz.models.qwen_vl.vision import full_block, watch_qwen


class QwenVLAdapter(VisionLanguageAdapter):
    """``Qwen2_5_VLForConditionalGeneration`` and ``Qwen2VLForConditionalGeneration``.

    Notes
    -----
    A visual token has three positions (time, height, width). Pruning keeps the survivors' own
    unless ``positions="renumber"`` is asked for, which gives all tokens one running number, as
    the code published for models with one position does. Of a video every frame is encoded, and
    judged by FoPru, like an image; :meth:`prepare` takes images alone.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("Qwen2.5-VL", Qwen2_5_VLForConditionalGeneration, StillImageProcessor),
        Architecture("Qwen2-VL", Qwen2VLForConditionalGeneration, StillImageProcessor),
    )
    kin: ClassVar[str] = "qwen"
    example: ClassVar[str] = "Qwen/Qwen2.5-VL-3B-Instruct"
    tower: ClassVar[str] = "visual"
    projector: ClassVar[str] = "merger"
    pixels: ClassVar[tuple[str, ...]] = ("pixel_values", "image_grid_thw")
    reserved: ClassVar[tuple[str, ...]] = (
        "<|image_pad|>",
        "<|video_pad|>",
        "<|vision_start|>",
        "<|vision_end|>",
    )

    def encoder_shape(self, config: Any) -> EncoderShape:
        """Some layers may see windows only; the merger keeps the joined width first."""
        vision = config.vision_config
        width = getattr(vision, "embed_dim", None) or vision.hidden_size
        full = getattr(vision, "fullatt_block_indexes", None) or ()
        window = (vision.window_size // vision.patch_size) ** 2 if full else 0
        merge = vision.spatial_merge_size**2
        values = getattr(vision, "num_channels", 3) * vision.patch_size**2
        # Qwen2-VL gives its FFN's width as a ratio, and has no gate.
        gated = hasattr(vision, "intermediate_size")
        return EncoderShape(
            layers=vision.depth,
            hidden=width,
            intermediate=vision.intermediate_size if gated else int(width * vision.mlp_ratio),
            patch_values=values * vision.temporal_patch_size,
            ffn_matrices=3 if gated else 2,
            window=window,
            full_layers=len(full),
            merge=merge,
            projector_width=width * merge,
        )

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch the encoder's last block with full attention, unless another is named."""
        return watch_qwen(self.encoder(model), self.encoder_index(model, encoder_layer), keep)

    def encoder_layers(self, model: Any) -> int:
        """The encoder's blocks."""
        return len(self.encoder(model).blocks)

    def whole_layers(self, model: Any) -> tuple[int, ...]:
        """Of an encoder with windows the blocks without."""
        full = getattr(self.encoder(model), "fullatt_block_indexes", None)
        return tuple(index + 1 for index in sorted(full)) if full else super().whole_layers(model)

    def encoder_index(self, model: Any, encoder_layer: int | None = None) -> int:
        """The last block with full attention, unless another is named."""
        return full_block(self.encoder(model), encoder_layer)

    def prepare(self, processor: Any, model: Any, image: Image.Image, question: str) -> Any:
        """Chat template around the question, image processed, all on the model's device."""
        try:
            return super().prepare(processor, model, image, question)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"The image cannot be used with this model: {error}") from error

    def positions(self, model: Any, inputs: Any) -> torch.Tensor:
        """Positions of the prompt, int64 ``[3, 1, n]``, which depend on the image's shape."""
        positions: torch.Tensor = model.model.get_rope_index(
            input_ids=inputs["input_ids"],
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
            attention_mask=inputs["attention_mask"],
        )[0]
        return positions

    def placed(self, model: Any, inputs: Any, rows: torch.Tensor) -> dict[str, Any]:
        """Also the prompt's positions."""
        placed = super().placed(model, inputs, rows)
        return {**placed, "position_ids": self.positions(model, inputs)}

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """The grid that the processor itself makes of an image of this size."""
        images = processor.image_processor
        blank = images(images=Image.new("RGB", image_size), return_tensors="pt")
        _, rows, columns = blank["image_grid_thw"][0].tolist()
        merge = images.merge_size
        view = (0.0, 0.0, float(image_size[0]), float(image_size[1]))
        return PatchGrid.regular(image_size, rows // merge, columns // merge, view)
