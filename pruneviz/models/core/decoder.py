"""The part of a language model that tokens are removed from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from pruneviz.errors import UnsupportedModelError

LAYER_MODULES = ("self_attn", "mlp", "input_layernorm", "post_attention_layernorm")
ATTENTION_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Decoder:
    """A Llama- or Qwen2-like decoder stack.

    Attributes
    ----------
    module : nn.Module
        The stack itself (``LlamaModel`` or alike).
    layers : nn.ModuleList
        Its decoder layers.
    """

    module: Any
    layers: nn.ModuleList

    @property
    def config(self) -> Any:
        """Configuration of the language model."""
        return self.module.config

    @property
    def num_layers(self) -> int:
        """Number of decoder layers."""
        return len(self.layers)

    @property
    def multimodal_rope(self) -> bool:
        """Whether a token has three positions: time, height and width (Qwen2-VL's M-RoPE)."""
        return self._rope_sections() is not None

    def _rope_sections(self) -> list[int] | None:
        rope = getattr(self.config, "rope_parameters", None) or {}
        # Qwen3-VL has default sections that its configuration need not name.
        return rope.get("mrope_section") or getattr(self.module.rotary_emb, "mrope_section", None)

    def rotary(self, hidden: torch.Tensor, positions: torch.Tensor) -> Any:
        """Rotary tables of positions ``[batch, n]`` or ``[3 or 4, batch, n]``.

        Of four channels the first counts the text, which only masks are made of.
        """
        if self.multimodal_rope:
            channels = positions if positions.ndim == 3 else positions.expand(3, *positions.shape)
            positions = channels[-3:]
        return self.module.rotary_emb(hidden, position_ids=positions)

    def per_token(self, tables: tuple[torch.Tensor, torch.Tensor]) -> Any:
        """The tables as attention applies them, ``[batch, n, head_dim]``.

        Older releases of transformers hand three to a layer and mix their sections there.
        """
        sections = self._rope_sections()
        if tables[0].ndim == 3 or sections is None:
            return tables
        return tuple(
            torch.cat(
                [rows[i % 3] for i, rows in enumerate(table.split(sections * 2, dim=-1))],
                dim=-1,
            )
            for table in tables
        )

    @classmethod
    def of(cls, module: nn.Module, described: str) -> Decoder:
        """Check a stack's structure.

        Raises
        ------
        UnsupportedModelError
            If a part is missing or the layers use sliding-window attention.
        """
        layers = getattr(module, "layers", None)
        for name in ("layers", "rotary_emb", "embed_tokens"):
            if getattr(module, name, None) is None:
                raise UnsupportedModelError(f"{described} has no {name!r} in its language model.")
        if not isinstance(layers, nn.ModuleList) or not len(layers):
            raise UnsupportedModelError(f"{described} has no decoder layers.")
        for layer in map(written, layers):
            _check_layer(layer, described)
            _check_rotary(layer.self_attn, module.rotary_emb, described)
        config = module.config
        kinds = set(getattr(config, "layer_types", None) or ())
        if kinds - {"full_attention"} or getattr(config, "sliding_window", None):
            raise UnsupportedModelError(
                f"{described} uses sliding-window attention, whose cache drops tokens itself; "
                "set sliding_window to None in its configuration if the window never applies."
            )
        return cls(module, layers)


def written(module: Any) -> Any:
    """The module itself where ``torch.compile(module)`` was put in its place."""
    return module._modules.get("_orig_mod", module)


def _check_layer(layer: nn.Module, described: str) -> None:
    children = {name for name, _ in layer.named_children()}
    if missing := sorted(set(LAYER_MODULES) - children):
        raise UnsupportedModelError(f"{described}: a decoder layer lacks {', '.join(missing)}.")
    norms = {name for name in children if "norm" in name} - set(LAYER_MODULES)
    if norms:
        raise UnsupportedModelError(
            f"{described}: decoder layers with further norms ({', '.join(sorted(norms))}) are "
            "not Llama-like."
        )
    wrapped = [name for name, part in layer.named_modules() if written(part) is not part]
    if wrapped:
        raise UnsupportedModelError(
            f"{described}: {', '.join(wrapped)} in a decoder layer is compiled by itself, and "
            "cannot be looked into. Compile whole layers: layer.compile(dynamic=True)."
        )
    missing = [name for name in ATTENTION_PROJECTIONS if not hasattr(layer.self_attn, name)]
    if missing:
        raise UnsupportedModelError(f"{described}: attention without {', '.join(missing)}.")


@cache
def _rotates_halves(module: str) -> bool:
    """Whether the module of an attention class rotates as Llama's does; asked once."""
    rotate = getattr(sys.modules[module], "rotate_half", None)
    return rotate is None or rotate(torch.arange(4.0)).tolist() == [-2.0, -3.0, 0.0, 1.0]


def _check_rotary(attention: Any, rotary: Any, described: str) -> None:
    """Attention is read by Llama's rotation; with another one scores would be silently wrong."""
    frequencies = getattr(rotary, "inv_freq", None)
    head_dim = getattr(attention, "head_dim", None)
    whole = frequencies is None or head_dim is None or 2 * len(frequencies) == head_dim
    everywhere = bool(getattr(attention, "use_rope", True))
    if not (whole and everywhere and _rotates_halves(type(attention).__module__)):
        raise UnsupportedModelError(
            f"{described} rotates queries and keys by position in another way than Llama."
        )
