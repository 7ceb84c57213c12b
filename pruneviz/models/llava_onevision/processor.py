"""Images and text for LLaVA-OneVision where torchvision is not installed."""

from __future__ import annotations

from transformers import LlavaOnevisionProcessor


class StillOnevisionProcessor(LlavaOnevisionProcessor):
    """The family's own processor without its video part, the only one that needs torchvision."""

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are loaded from a model's folder."""
        return ["image_processor", "tokenizer"]
