"""What is read from the layers as they run: a few numbers a token and module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from pruneviz.methods.base import TransitionSpec
from pruneviz.ops import transition_values
from pruneviz.pruning.frames import Frame

MODULES = 2
"""Attention and FFN."""


@dataclass(eq=False)
class Stretch:
    """Layers that saw one and the same frame.

    Attributes
    ----------
    frame : Frame
        That frame.
    layers : list of int
        Their indices, from 0.
    stats : list of tuple of torch.Tensor
        Of attention and FFN of each in turn, each float32 ``[batch, n]``; see
        :func:`pruneviz.ops.transition_stats`.
    """

    frame: Frame
    layers: list[int] = field(default_factory=list)
    stats: list[tuple[torch.Tensor, ...]] = field(default_factory=list)

    def ttv(
        self, spec: TransitionSpec, mask: torch.Tensor | None, layers: Sequence[int]
    ) -> torch.Tensor:
        """TTV of some of its layers, by index, float32 ``[layers, batch, n]``.

        `mask` is bool ``[batch, n]``: the tokens that its softmax runs over; None = all.
        """
        first = [MODULES * self.layers.index(layer) for layer in layers]
        stats = [self.stats[place + module] for place in first for module in range(MODULES)]
        kinds = list(zip(*stats, strict=True))[:3]
        every = torch.stack([one for kind in kinds for one in kind])
        before, after, product = every.unflatten(0, (3, -1)).unbind(0)
        values = transition_values(
            before, after, product, spec.direction, mask=mask, part=spec.part
        )
        return values.unflatten(0, (-1, MODULES)).sum(1)

    def residual(self) -> torch.Tensor:
        """``||output|| / ||stream||`` of attention plus that of the FFN, likewise."""
        after = torch.stack([after for _, after, _, _ in self.stats])
        stream = torch.stack([stream for *_, stream in self.stats])
        tiny = torch.finfo(torch.float32).tiny
        ratio = torch.where(stream > 0, after / stream.clamp_min(tiny), 0.0)
        return ratio.unflatten(0, (-1, MODULES)).sum(1)


@dataclass(eq=False)
class Recording:
    """What was read from the layers as they ran.

    Attributes
    ----------
    stretches : list of Stretch
        Layers in which norms and products were taken, in order.
    iga : dict of int to torch.Tensor
        Attention from the text after the image in the layers where it is recorded, by their
        indices from 0, float32 ``[batch, n]``.
    """

    stretches: list[Stretch] = field(default_factory=list)
    iga: dict[int, torch.Tensor] = field(default_factory=dict)

    def add(self, index: int, frame: Frame, stats: tuple[torch.Tensor, ...]) -> None:
        """Take one module's numbers of a layer that sees `frame`."""
        if not self.stretches or self.stretches[-1].frame is not frame:
            self.stretches.append(Stretch(frame))
        newest = self.stretches[-1]
        if index not in newest.layers:
            newest.layers.append(index)
        newest.stats.append(stats)

    def missing(self, layers: Sequence[int]) -> list[int]:
        """Those of some layers, by index from 0, that were not read."""
        there = {layer for stretch in self.stretches for layer in stretch.layers}
        return [layer for layer in layers if layer not in there]
