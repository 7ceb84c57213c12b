"""LLaVA-OneVision: images and videos."""

from pruneviz.models.llava_onevision.adapter import LlavaOnevisionAdapter

__all__ = ["LlavaOnevisionAdapter"]
