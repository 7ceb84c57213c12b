"""The LLaVA-OneVision family: LLaVA-NeXT's tiles, SigLIP, and a limit on the tiles' tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from transformers import LlavaOnevisionForConditionalGeneration

from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.vision import EncoderRecord, VisionRecord
from pruneviz.models.llava_next.adapter import LlavaNextAdapter
from pruneviz.models.llava_next.calls import sizes_of
from pruneviz.models.llava_next.layout import Layout
from pruneviz.models.llava_onevision.layout import OnevisionLayout
from pruneviz.models.llava_onevision.processor import StillOnevisionProcessor
from pruneviz.models.llava_onevision.video import VideoRecord


class LlavaOnevisionAdapter(LlavaNextAdapter):
    """``LlavaOnevisionForConditionalGeneration``.

    Notes
    -----
    Newlines are as on LLaVA-NeXT; a video has one at its end. Several images in one prompt, which
    the model sees without tiles, are pruned together; :meth:`patch_grid` is that of an image alone.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture(
            "LLaVA-OneVision", LlavaOnevisionForConditionalGeneration, StillOnevisionProcessor
        ),
    )
    example: ClassVar[str] = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
    pixels: ClassVar[tuple[str, ...]] = ("pixel_values", "image_sizes", "batch_num_images")
    encoders: ClassVar[tuple[str, ...]] = ("get_image_features", "get_video_features")
    prompt: ClassVar[str] = "<|im_start|>user {image}\n{question}<|im_end|><|im_start|>assistant\n"

    def own_index(self, model: Any) -> int:
        """The layer whose output the projector gets.

        FoPru names the penultimate layer because LLaVA uses its features. Published checkpoints
        of this family use it too, and leave out the last layer of SigLIP: theirs ends with it.
        """
        layer = model.config.vision_feature_layer
        layer = layer if isinstance(layer, int) else layer[-1]
        # Counted from the front, 0 is what enters the first layer.
        count = model.config.vision_config.num_hidden_layers
        return layer if layer < 0 else layer - 1 - count

    def placeholders(self, processor: Any) -> tuple[str, ...]:
        """Also the one that stands for a video."""
        return (getattr(processor, "video_token", "<video>"), *super().placeholders(processor))

    def packed(
        self, model: Any, record: VisionRecord, name: str, call: Mapping[str, Any]
    ) -> EncoderRecord:
        """Of images or of videos."""
        if name == "get_video_features":
            # Older releases of transformers call them pixel_values here.
            pixels = call.get("pixel_values_videos") or call["pixel_values"]
            return VideoRecord(record, pixels[1])
        return super().packed(model, record, name, call)

    def layouts(self, model: Any, call: Mapping[str, Any]) -> tuple[Layout, ...]:
        """Layout of each image that is encoded with these arguments."""
        sizes, samples = sizes_of(call), call.get("batch_num_images")
        counts = [1] * len(sizes) if samples is None else torch.as_tensor(samples).tolist()
        alone = [count == 1 for count in counts for _ in range(count)]
        limit = call.get("vision_aspect_ratio")
        return tuple(
            OnevisionLayout.of(model, size, limit) if single else OnevisionLayout.one_crop(model)
            for size, single in zip(sizes, alone, strict=True)
        )

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """The tiles' grid; the whole image's is its other part."""
        return OnevisionLayout.of(model, image_size).grid(image_size)
