"""What a method answers: a score per token, and the tokens that it made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import torch

from pruneviz.ops import homes


@dataclass(frozen=True)
class Merge:
    """How a method made the tokens that stay out of those that were there.

    Attributes
    ----------
    states : torch.Tensor
        ``[k, hidden]``: the new tokens in the order in which the LLM gets them.
    anchors : torch.Tensor
        Int64 ``[k]``: the place, among the `n` alive tokens, that each stands for; -1 where it
        stands for none, as the encoder's CLS token does.
    into : torch.Tensor
        Int64 ``[n]``: into which of the new tokens each alive one went, the most where it went
        into several; -1 where it is lost.
    given_homes : torch.Tensor or None
        Int64 ``[k]``: the places that `homes` tells, where they are known already.
    """

    states: torch.Tensor
    anchors: torch.Tensor
    into: torch.Tensor
    given_homes: torch.Tensor | None = None

    @classmethod
    def joined(cls, merges: Sequence[Merge]) -> Merge:
        """One after another, as those of several images are."""
        ends = list(accumulate(len(merge.into) for merge in merges))
        made = list(accumulate(len(merge.anchors) for merge in merges))
        parts = list(zip(merges, [0, *ends[:-1]], [0, *made[:-1]], strict=True))
        return cls(
            torch.cat([merge.states for merge in merges]),
            torch.cat([torch.where(m.anchors < 0, -1, m.anchors + start) for m, start, _ in parts]),
            torch.cat([torch.where(m.into < 0, -1, m.into + first) for m, _, first in parts]),
            torch.cat([merge.homes() + start for merge, start, _ in parts]),
        )

    def homes(self) -> torch.Tensor:
        """The place among the alive tokens that each new one belongs to, int64 ``[k]``.

        Its anchor; a token without an anchor belongs to the first place left free.
        """
        if self.given_homes is not None:
            return self.given_homes
        return homes(self.anchors, len(self.into))

    def slots(self) -> torch.Tensor:
        """Places among the alive tokens that the new ones take, ascending, int64 ``[k]``."""
        return self.homes().sort().values

    def in_place(self) -> Merge:
        """The same tokens ordered by the places they belong to, each in its own.

        Where positions are kept, a token must not get another patch's; and where there is text
        between visual tokens, none may come to stand on its other side.
        """
        homes = self.homes()
        order = homes.argsort()
        rank = torch.empty_like(order).index_copy(
            0, order, torch.arange(len(order), device=order.device)
        )
        into = torch.where(self.into >= 0, rank[self.into.clamp_min(0)], self.into)
        return Merge(self.states[order], self.anchors[order], into, homes[order])


@dataclass(frozen=True)
class Scores:
    """What a method thought of each alive token.

    Attributes
    ----------
    total : torch.Tensor
        ``[n]``, larger is kept; ``[rows, n]`` where several rows were scored together, and so on.
    components : dict of str to torch.Tensor
        Each ``[n]``, as they entered the total.
    kept : torch.Tensor or None
        Int64 ``[k]``, ascending places among the alive tokens, where the method picks by itself;
        None = the largest totals.
    notes : tuple of str
        Fallbacks taken.
    own_notes : tuple of str
        One more for each row.
    merge : Merge or None
        Where tokens are made anew; it then also says which stay.
    """

    total: torch.Tensor
    components: dict[str, torch.Tensor] = field(default_factory=dict)
    kept: torch.Tensor | None = None
    notes: tuple[str, ...] = ()
    own_notes: tuple[str, ...] = ()
    merge: Merge | None = None

    def of(self, row: int) -> Scores:
        """Those of one row, without the leading dimension."""
        notes = (*self.own_notes[row : row + 1], *self.notes)
        if self.total.ndim == 1:
            return replace(self, notes=notes, own_notes=())
        return Scores(
            self.total[row],
            {name: values[row] for name, values in self.components.items()},
            None if self.kept is None else self.kept[row],
            notes,
        )
