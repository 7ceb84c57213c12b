"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from pruneviz.models.qwen_vl.adapter import QwenVLAdapter
from pruneviz.models.qwen_vl.qwen3 import Qwen3VLAdapter

__all__ = ["Qwen3VLAdapter", "QwenVLAdapter"]
