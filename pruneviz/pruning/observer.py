"""Per-layer signals of the visual tokens, reduced to two numbers per token as they pass."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from pruneviz.ops import token_transition
from pruneviz.pruning.signals import mean_attention, relative_norm
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer


class Observer:
    """Computes TTV where a method reads it, and any signal where it is to be recorded.

    Parameters
    ----------
    spec : RunSpec
        What is read.
    prefill : Prefill
        Whose recording it goes into.

    Notes
    -----
    In layer l: ``ttv`` is TTV of attention plus FFN; ``iga`` the mean attention that the text
    after the image pays each token in that layer; ``residual`` is ``||output|| / ||stream||``
    of attention plus that of the FFN, stream being what the output is added to.
    """

    def __init__(self, spec: RunSpec, prefill: Prefill) -> None:
        self._layers, self._transitions = spec.decoder.layers, spec.transitions
        asked = spec.policy.needs.transitions
        self._read = {layer - 1 for layer in asked.layers} if asked else set[int]()
        self._counting = spec.counting
        self._prefill, self._recording = prefill, prefill.recording
        self._signals = self._recording.signals
        self._signals.update({name: {} for name in spec.signals})
        self._stream: torch.Tensor | None = None

    def before_layer(self, hidden: torch.Tensor) -> None:
        """Remember the stream that the layer's outputs are added to."""
        self._stream = hidden if "residual" in self._signals else None

    @torch.no_grad()
    def after_attention(
        self, layer: RunningLayer, normed: torch.Tensor, output: torch.Tensor
    ) -> None:
        """Take the attention's share of every signal."""
        self._add_transition(layer.index, normed, output)
        if self._stream is not None:
            self._signals["residual"][layer.index] = relative_norm(output, self._stream)
            self._stream = self._stream + output
        if "iga" in self._signals:
            self._signals["iga"][layer.index] = self._attention(layer, normed)

    @torch.no_grad()
    def after_mlp(self, layer: RunningLayer, normed: torch.Tensor, output: torch.Tensor) -> None:
        """Take the FFN's share of every signal."""
        self._add_transition(layer.index, normed, output)
        if self._stream is not None:
            self._signals["residual"][layer.index] += relative_norm(output, self._stream)
            self._stream = None
        if "ttv" in self._signals:
            self._signals["ttv"][layer.index] = self._recording.ttv[layer.index]

    def _add_transition(self, index: int, before: torch.Tensor, after: torch.Tensor) -> None:
        spec, frame = self._transitions, self._prefill.frames.newest
        if index + 1 not in spec.layers:
            return
        # Where it is only recorded, it is no part of choosing.
        with self._counting() if index in self._read else nullcontext():
            value = token_transition(
                before,
                after.view_as(before),
                spec.direction,
                mask=frame.visual if spec.scope == "image" else frame.valid,
                per_sample=True,
                part=spec.part,
            )
        earlier = self._recording.ttv.get(index)
        self._recording.ttv[index] = value if earlier is None else earlier + value

    def _attention(self, layer: RunningLayer, normed: torch.Tensor) -> torch.Tensor:
        """What the text after the image pays each token, ``[batch, n]``; NaN in rows without."""
        attention: Any = self._layers[layer.index].self_attn
        out = torch.full(normed.shape[:2], torch.nan, device=normed.device)
        frame = self._prefill.frames.newest
        for row in self._prefill.prompt.rows:
            if row.num_visual and len(row.after_image):
                at = row.number
                out[at] = mean_attention(
                    attention, normed[at], layer.rotary, frame, at, row.after_image
                )
        return out
