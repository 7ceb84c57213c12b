"""Names and files that several checkpoints share."""

from __future__ import annotations

from typing import Any

LLAMA = (
    "embed_tokens.weight",
    "norm.weight",
    "layers.{0..3}.{input,post_attention}_layernorm.weight",
    "layers.{0..3}.mlp.{gate,up,down}_proj.weight",
    "layers.{0..3}.self_attn.{q,k,v,o}_proj.weight",
)
"""Of four layers."""
QWEN2 = (*LLAMA, "layers.{0..3}.self_attn.{q,k,v}_proj.bias")
CLIP = (
    "embeddings.class_embedding",
    "embeddings.patch_embedding.weight",
    "embeddings.position_embedding.weight",
    "pre_layrnorm.{weight,bias}",
    "post_layernorm.{weight,bias}",
    "encoder.layers.{0..2}.layer_norm{1,2}.{weight,bias}",
    "encoder.layers.{0..2}.mlp.fc{1,2}.{weight,bias}",
    "encoder.layers.{0..2}.self_attn.{q,k,v,out}_proj.{weight,bias}",
)
"""Of three layers."""
SIGLIP = (*CLIP[4:], "embeddings.patch_embedding.{weight,bias}", CLIP[2])

OPENAI = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
BYTE = 0.00392156862745098


def under(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names with a prefix."""
    return tuple(prefix + name for name in names)


def added(special: dict[str, int]) -> dict[str, Any]:
    """``added_tokens_decoder`` of ``tokenizer_config.json``."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {
        str(number): {"content": token, **flags, "special": True}
        for token, number in special.items()
    }
