"""Per-layer signals of the visual tokens, reduced to two numbers per token as they pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from pruneviz.methods.base import TransitionSpec
from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.signals import project_rows, relative_norm, transition
from pruneviz.pruning.state import Prefill

SIGNALS = ("ttv", "iga", "residual")


class Observer:
    """Computes TTV where a method reads it, and any signal where it is to be recorded.

    Parameters
    ----------
    decoder : Decoder
        The stack that is watched.
    spec : TransitionSpec
        The reading of TTV and the layers in which the method needs it.
    record : tuple of str
        Signals to record in every layer.

    Notes
    -----
    In layer l: ``ttv`` is TTV of attention plus FFN; ``iga`` the mean attention that the text
    after the image pays each token in that layer; ``residual`` is ``||output|| / ||stream||``
    of attention plus that of the FFN, stream being what the output is added to.
    """

    def __init__(self, decoder: Decoder, spec: TransitionSpec, record: tuple[str, ...]) -> None:
        unknown = set(record) - set(SIGNALS)
        if unknown:
            raise ValueError(
                f"Cannot record {', '.join(sorted(unknown))}; signals: {', '.join(SIGNALS)}."
            )
        self._layers = decoder.layers
        self._record = record
        every = tuple(range(1, decoder.num_layers + 1))
        self.spec = replace(spec, layers=every) if "ttv" in record else spec

    def watched_layers(self) -> set[int]:
        """0-based layers whose modules must be hooked."""
        if self._record:
            return set(range(len(self._layers)))
        return {layer - 1 for layer in self.spec.layers}

    def begin(self, state: Prefill) -> None:
        """Prepare a new prefill."""
        state.recorded = {name: {} for name in self._record}

    def before_layer(self, state: Prefill, index: int, hidden: torch.Tensor) -> None:
        """Remember the stream that the layer's outputs are added to."""
        state.stream = hidden if "residual" in self._record else None

    @torch.no_grad()
    def after_attention(
        self, state: Prefill, index: int, normed: torch.Tensor, output: torch.Tensor
    ) -> None:
        """Take the attention's share of every signal."""
        self._add_transition(state, index, normed, output)
        if state.stream is not None:
            state.recorded["residual"][index] = relative_norm(output, state.stream)
            state.stream = state.stream + output
        if "iga" in self._record:
            state.recorded["iga"][index] = self._attention(state, index, normed)

    @torch.no_grad()
    def after_mlp(
        self, state: Prefill, index: int, normed: torch.Tensor, output: torch.Tensor
    ) -> None:
        """Take the FFN's share of every signal."""
        self._add_transition(state, index, normed, output)
        if state.stream is not None:
            state.recorded["residual"][index] += relative_norm(output, state.stream)
            state.stream = None
        if "ttv" in self._record:
            state.recorded["ttv"][index] = state.ttv[index + 1]

    def _add_transition(
        self, state: Prefill, index: int, before: torch.Tensor, after: torch.Tensor
    ) -> None:
        if index + 1 not in self.spec.layers:
            return
        mask: torch.Tensor | None = state.frame.valid
        if self.spec.scope == "image":
            mask = state.visual
        value = transition(self.spec, before, after.view_as(before), mask)
        earlier = state.ttv.get(index + 1)
        state.ttv[index + 1] = value if earlier is None else earlier + value

    def _attention(self, state: Prefill, index: int, normed: torch.Tensor) -> torch.Tensor:
        attention: Any = self._layers[index].self_attn
        out = torch.full(normed.shape[:2], torch.nan, device=normed.device)
        if state.rotary is None:
            return out
        for sample in state.samples:
            row = sample.row
            if not len(sample.after_image) or not len(sample.columns):
                continue
            cos, sin = (table[row if table.shape[0] > 1 else 0] for table in state.rotary)
            places = state.frame.places(row, sample.after_image)
            valid = state.frame.row_valid(row)
            out[row] = project_rows(attention, normed[row], places, (cos, sin), valid).mean(0)
        return out
