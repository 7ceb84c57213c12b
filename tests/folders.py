"""Whole models in folders: offline stand-ins for what a person may load."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import AutoProcessor, LlavaConfig, LlavaForConditionalGeneration

from pruneviz.shipped import assets_dir
from tests.helpers import randomise

TINY_LAYERS, TINY_SIDE = 4, 8


def copy_embedded(folder: Path) -> str:
    """A copy of the embedded model under another name."""
    shutil.copytree(assets_dir() / "embedded", folder)
    return str(folder)


def save_tiny(folder: Path) -> str:
    """A random LLaVA: 4 layers, 8 x 8 patches, the embedded model's words."""
    source = assets_dir() / "embedded"
    config = LlavaConfig.from_pretrained(source)
    config.text_config.update(
        {"num_hidden_layers": TINY_LAYERS, "hidden_size": 64, "intermediate_size": 96}
    )
    config.text_config.head_dim = 16
    config.vision_config.update(
        {"num_hidden_layers": 3, "hidden_size": 48, "intermediate_size": 64}
    )
    config.vision_config.update({"image_size": 14 * TINY_SIDE, "num_attention_heads": 3})
    config.image_seq_length = TINY_SIDE**2
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    randomise(model, seed=1)
    model.to(torch.float16).save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(source)
    side = 14 * TINY_SIDE
    images = processor.image_processor
    # It cuts, as LLaVA-1.5 does; the embedded model squashes.
    images.do_center_crop = True
    images.size = {"shortest_edge": side}
    images.crop_size = {"height": side, "width": side}
    processor.save_pretrained(folder)
    return str(folder)
