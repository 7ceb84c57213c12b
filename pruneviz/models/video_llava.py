"""The Video-LLaVA family: frames of a video side by side, each with its CLS token."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from transformers import VideoLlavaForConditionalGeneration

from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.towers import Handles, watch_tower
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.vision_language import VisionLanguageAdapter


class VideoLlavaAdapter(VisionLanguageAdapter):
    """``VideoLlavaForConditionalGeneration``, fed with videos or images by the user.

    Notes
    -----
    Images and videos have a tower each. Of a video the CLS token of every frame is a visual token
    as well (8 frames of 256 patches are 2,056 tokens), and FoPru ranks it with the patches.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("Video-LLaVA", VideoLlavaForConditionalGeneration),
    )
    kin: ClassVar[str] = "llava"
    example: ClassVar[str] = "LanguageBind/Video-LLaVA-7B-hf, from Python alone"
    loadable: ClassVar[bool] = False
    tower: ClassVar[str] = "image_tower"

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch one layer of both towers."""
        towers = (model.model.image_tower, model.model.video_tower)
        index = self.encoder_index(model, encoder_layer)
        images = int(model.config.vision_feature_select_strategy == "default")
        return Handles(
            *(
                watch_tower(tower, index, partial(int, leading), keep)
                for tower, leading in zip(towers, (images, 0), strict=True)
            )
        )

    def encode(self, model: Any, inputs: Any) -> Any:
        """What encoder and projector make of the images, an argument that releases name apart."""
        return model.model.get_image_features(inputs["pixel_values"], return_dict=True)
