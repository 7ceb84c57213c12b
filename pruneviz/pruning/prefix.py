"""What a run has in common with the unpruned one: its first layers, as far as nothing is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pruneviz.methods.base import Method


@dataclass(frozen=True)
class Reach:
    """How far a run goes as the unpruned one does, and what is read on the way.

    Attributes
    ----------
    start : int
        So many first layers of the decoder are those of the unpruned run.
    outputs : frozenset of int
        Indices, from 0, of those of them whose output something goes on from.
    inside : frozenset of int
        Indices of those whose attention and FFN are read.
    """

    start: int = 0
    outputs: frozenset[int] = frozenset()
    inside: frozenset[int] = frozenset()

    @classmethod
    def of(cls, method: Method, num_layers: int, num_visual: int) -> Reach:
        """That of a method on a prompt of so many visual tokens.

        It ends at the first stage that removes anything, or makes tokens anew.
        """
        stages = method.plan(num_layers)
        cutting = [s.layer for s in stages if method.total(s, num_visual) < num_visual]
        start = stages[0].layer if method.merges else min(cutting, default=num_layers)
        staged = [stage.layer - 1 for stage in stages if 0 < stage.layer <= start]
        needs = method.needs
        read = needs.transitions.layers if needs.transitions else ()
        inside = {layer - 1 for layer in read if layer <= start}
        if needs.own_attention:
            inside.update(staged)
        return cls(start, frozenset({*staged, start - 1} - {-1}), frozenset(inside))

    def joined(self, other: Reach) -> Reach:
        """What serves both."""
        return Reach(
            max(self.start, other.start),
            self.outputs | other.outputs,
            self.inside | other.inside,
        )


Inside = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""What entered and left the modules of a layer that hooks read, each ``[1, n, ...]``, by name."""


@dataclass(frozen=True, eq=False)
class Prefix:
    """What unpruned layers left of one prompt.

    Attributes
    ----------
    outputs : mapping of int to Any
        What layers returned, by their indices from 0.
    inside : mapping of int to Inside
        What was read in them.
    cache : tuple of tuple of torch.Tensor
        Keys and values of the first layers, ``[1, kv_heads, n, head_dim]``; the tensors
        themselves, which a growing cache leaves as they are.
    """

    outputs: Mapping[int, Any] = field(default_factory=dict)
    inside: Mapping[int, Inside] = field(default_factory=dict)
    cache: tuple[tuple[torch.Tensor, torch.Tensor], ...] = ()

    @property
    def length(self) -> int:
        """Tokens of the prompt; 0 where nothing is known."""
        return self.cache[0][0].shape[-2] if self.cache else 0

    def covers(self, reach: Reach) -> int:
        """How many first layers a run of this reach can pass by."""
        for start in range(min(reach.start, len(self.cache)), 0, -1):
            needed = {index for index in reach.outputs if index < start} | {start - 1}
            read = {index for index in reach.inside if index < start}
            if needed <= self.outputs.keys() and read <= self.inside.keys():
                return start
        return 0

    def joined(self, newer: Prefix) -> Prefix:
        """Both; of what both have, that of this one."""
        return Prefix(
            {**newer.outputs, **self.outputs},
            {**newer.inside, **self.inside},
            max(self.cache, newer.cache, key=len),
        )
