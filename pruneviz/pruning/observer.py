"""Per-layer signals, read where a layer computes them: a few numbers a token, no states kept."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from pruneviz.ops import transition_stats
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.signals import Reader, keys_of
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer


class Observer:
    """Takes what TTV needs where a method reads it, and any signal where it is recorded.

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
        self._spec, self._prefill = spec, prefill
        asked = spec.policy.needs.transitions
        self._read = {layer - 1 for layer in asked.layers} if asked else set[int]()
        self._norms = {layer - 1 for layer in spec.transitions.layers}
        if "residual" in spec.signals:
            self._norms = set(range(spec.decoder.num_layers))
        self._reader: tuple[Frame, Reader] | None = None

    @torch.no_grad()
    def after_attention(self, layer: RunningLayer, output: torch.Tensor) -> None:
        """Take the attention's share of every signal."""
        if layer.normed is not None:
            self._add(layer.index, layer.normed, output, layer.hidden)
        if "iga" in self._spec.signals:
            self._prefill.recording.iga[layer.index] = self._attention(layer)

    @torch.no_grad()
    def after_mlp(self, layer: RunningLayer, normed: torch.Tensor, output: torch.Tensor) -> None:
        """Take the FFN's share of every signal."""
        self._add(layer.index, normed, output, layer.stream)

    def _add(
        self, index: int, before: torch.Tensor, after: torch.Tensor, stream: torch.Tensor | None
    ) -> None:
        if index not in self._norms:
            return
        frame, recording = self._prefill.frames.newest, self._prefill.recording
        stream = stream if "residual" in self._spec.signals else None
        # Where it is only recorded, it is no part of choosing.
        with self._spec.counting() if index in self._read else nullcontext():
            after = after if after.shape == before.shape else after.view_as(before)
            stats = transition_stats(before, after, stream)
        recording.add(index, frame, stats)

    def _attention(self, layer: RunningLayer) -> torch.Tensor:
        """What the text after the image pays each token, ``[batch, n]``; NaN in rows without."""
        layers: Any = self._spec.decoder.layers
        attention, normed = layers[layer.index].self_attn, layer.normed
        if normed is None:
            raise RuntimeError("The layer's attention has not run.")
        frame, words = self._prefill.frames.newest, self._prefill.prompt.after_image()
        if not words.count:
            return torch.full(normed.shape[:2], torch.nan, device=normed.device)
        if self._reader is None or self._reader[0] is not frame:
            self._reader = frame, Reader(frame, words, None)
        reader = self._reader[1]
        query = reader.queries(attention, normed, layer.query)
        keys = keys_of(attention, normed, layer.rotary) if layer.keys is None else layer.keys
        return reader.mean(attention, query, keys, layer.rotary)
