"""What the tiny models have in common: sizes, weights, and how a prompt is put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, Qwen2Config

from pruneviz.models import Adapter

VOCABULARY, IMAGE, VISION_START, LAYERS = 96, 5, 3, 6
NUM_PATCHES = 36  # a 6 x 6 grid: 84 pixels by patches of 14
ENCODER = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "image_size": 84,
    "patch_size": 14,
}


@dataclass
class Draft:
    """Random words with room for images, not yet a model's inputs.

    `ids` and `visual` (True where visual tokens go) are ``[1, n]``.
    """

    model: Any
    ids: torch.Tensor
    visual: torch.Tensor
    images: int
    generator: torch.Generator

    def noise(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator)

    def words(self, count: int) -> torch.Tensor:
        return torch.randint(8, VOCABULARY, (1, count), generator=self.generator)

    def filled(self, rows: Any = None, **pixels: torch.Tensor) -> Prompt:
        """Placeholders for the images, and the encoder's `rows` in place of their embeddings."""
        ids = self.ids.masked_fill(self.visual, IMAGE)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **pixels}
        embeds = self.model.get_input_embeddings()(ids)
        if rows is not None:
            embeds = embeds.masked_scatter(self.visual[..., None], torch.cat(list(rows)))
        return Prompt(inputs, self.visual, embeds)

    def encoded(self, **pixels: torch.Tensor) -> Any:
        """The model's own rows for these pixels."""
        return self.model.model.get_image_features(**pixels, return_dict=True).pooler_output


@dataclass
class Prompt:
    """Inputs of a model and what the oracles need to know about them."""

    inputs: dict[str, torch.Tensor]
    visual: torch.Tensor
    embeds: torch.Tensor
    positions: torch.Tensor | None = None
    added: tuple[torch.Tensor, ...] = ()
    """What the model adds to the hidden states after its first layers, ``[1, n, d]`` each."""

    @property
    def prune_kwargs(self) -> dict[str, Any]:
        encodes = any(name.startswith("pixel_values") for name in self.inputs)
        return {} if encodes else {"visual_mask": self.visual}


@dataclass(frozen=True)
class Kind:
    """One kind of tiny models: `build` gets the number of decoder layers.

    Attributes
    ----------
    crops : int
        That a prompt's image is cut into.
    encoder_layer : int
        Which of the encoder's four layers FoPru reads unless told otherwise, counted from 1.
    """

    family: type[Adapter]
    build: Callable[[int], Any]
    prompt: Callable[[Draft], Prompt]
    crops: int = 1
    encoder_layer: int = 4


def randomise(model: nn.Module, seed: int) -> None:
    """Weights far from zero, so that attention and transitions differ between tokens."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator)
            gain = "norm" in name and name.endswith("weight")
            weight.copy_(1.0 + 0.2 * noise if gain else 0.15 * noise)


def text_config(kind: str, layers: int = LAYERS) -> Any:
    common = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    if kind == "qwen2":
        return Qwen2Config(num_key_value_heads=2, **common)
    return LlamaConfig(num_key_value_heads=2 if kind == "llama_gqa" else 4, **common)


def clip_config(layers: int = 4) -> CLIPVisionConfig:
    """A tower that cuts 56 pixels into 4 x 4 patches."""
    return CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=3,
        image_size=56,
        patch_size=14,
    )
