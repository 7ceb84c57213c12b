"""InternVL as transformers ships it."""

from pruneviz.models.internvl.adapter import InternVLAdapter

__all__ = ["InternVLAdapter"]
