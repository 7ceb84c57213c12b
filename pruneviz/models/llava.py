"""The LLaVA-1.5 family: one view of the image, one visual token per patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from transformers import AutoModel, LlavaForConditionalGeneration

from pruneviz.errors import UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.towers import last_layer, watch_tower
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.vision_language import VisionLanguageAdapter

NESTED = {r"vision_tower\.(?!vision_model\.)": "vision_tower.vision_model."}


class LlavaAdapter(VisionLanguageAdapter):
    """``LlavaForConditionalGeneration`` with any vision tower, with CLS or without."""

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("LLaVA-1.5", LlavaForConditionalGeneration),
    )
    kin: ClassVar[str] = "llava"
    example: ClassVar[str] = "llava-hf/llava-1.5-7b-hf"
    prompt: ClassVar[str] = "USER: {image}\n{question} ASSISTANT:"
    """Where the processor has no chat template."""

    @classmethod
    def load_settings(cls, config: Any) -> dict[str, Any]:
        """The names under which a tower of this release finds its weights.

        Newer releases of transformers save CLIP's tower without the level ``vision_model`` and
        read both ways. Older ones know only the nested names: they would leave the tower at
        random, with a mere warning.
        """
        # Built without memory, as the model builds it, only to see how this release names it.
        with torch.device("meta"):
            tower = AutoModel.from_config(config.vision_config)
        return {"key_mapping": NESTED} if hasattr(tower, "vision_model") else {}

    def complete(self, processor: Any, model: Any) -> None:
        """How many tokens an image has; the files of older releases do not tell the processor."""
        if getattr(processor, "patch_size", 0) is None:
            processor.patch_size = model.config.vision_config.patch_size
            processor.num_additional_image_tokens = int(_has_cls(self.encoder(model)))
            chosen = model.config.vision_feature_select_strategy
            processor.vision_feature_select_strategy = chosen

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Watch one layer of the tower."""
        tower, index = self.encoder(model), self.encoder_index(model, encoder_layer)
        # Other layers' features would have to be caught elsewhere.
        merges = index == self.encoder_index(model) and model.config.vision_feature_layer == -2
        return watch_tower(
            tower,
            index,
            lambda: int(model.config.vision_feature_select_strategy == "default"),
            keep,
            last_layer(tower) if merges else None,
        )

    def placeholders(self, processor: Any) -> tuple[str, ...]:
        """Tokens that a question must not hold."""
        return (_image_token(processor),)

    def asked(self, processor: Any, question: str) -> str:
        """A question about one image, by the family's own words where there is no template."""
        if getattr(processor, "chat_template", None):
            return super().asked(processor, question)
        return self.prompt.format(image=_image_token(processor), question=question)

    def project(self, model: Any, features: torch.Tensor) -> torch.Tensor:
        """The projector, one token after the other."""
        projector = getattr(model.model, self.projector)
        projected: torch.Tensor = (
            projector(features) if features.ndim > 2 else projector(features[None])[0]
        )
        return projected

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """Invert the image processor's padding, resizing and centre crop."""
        images = processor.image_processor
        patch = model.config.vision_config.patch_size
        view, (height, width) = _view(images, image_size)
        # "default" leaves the encoder's first token out, whether it is CLS or a patch.
        drops_first = model.config.vision_feature_select_strategy == "default"
        has_cls = _has_cls(self.encoder(model))
        return PatchGrid.regular(
            image_size,
            height // patch,
            width // patch,
            view,
            leading=int(has_cls and not drops_first),
            skipped=int(drops_first and not has_cls),
        )


def _image_token(processor: Any) -> str:
    return str(getattr(processor, "image_token", "<image>"))


def _has_cls(tower: Any) -> bool:
    return any(
        name.rsplit(".", 1)[-1] in ("class_embedding", "cls_token")
        for name, _ in tower.named_parameters()
    )


def _view(
    images: Any, image_size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """Rectangle of the original that the model sees, and the model's input height and width."""
    width, height = float(image_size[0]), float(image_size[1])
    left = top = 0.0
    if getattr(images, "do_pad", False):
        side = max(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        width = height = side
    size = dict(images.size)
    if "shortest_edge" in size:
        # The longer side is truncated to whole pixels, so the two scales differ a little.
        short, long = min(width, height), max(width, height)
        edge = size["shortest_edge"]
        longer = int(edge * long / short)
        resized = (edge, longer) if width <= height else (longer, edge)
    elif "height" in size:
        resized = (size["width"], size["height"])
    else:
        raise UnsupportedModelError(f"Image processor sizes of the kind {size} are not supported.")
    if not getattr(images, "do_center_crop", False):
        return (left, top, left + width, top + height), (resized[1], resized[0])
    crop = dict(images.crop_size)
    scale_x, scale_y = width / resized[0], height / resized[1]
    x = (resized[0] - crop["width"]) // 2
    y = (resized[1] - crop["height"]) // 2
    view = (
        left + x * scale_x,
        top + y * scale_y,
        left + (x + crop["width"]) * scale_x,
        top + (y + crop["height"]) * scale_y,
    )
    return view, (crop["height"], crop["width"])
