"""SmolVLM and Idefics3."""

from pruneviz.models.idefics.adapter import IdeficsAdapter

__all__ = ["IdeficsAdapter"]
