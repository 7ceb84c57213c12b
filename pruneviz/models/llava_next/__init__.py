"""LLaVA-NeXT: the whole image and tiles of it."""

from pruneviz.models.llava_next.adapter import LlavaNextAdapter

__all__ = ["LlavaNextAdapter"]
