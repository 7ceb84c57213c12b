"""What a method answers: a score per token, and the tokens that it made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import torch

from pruneviz.ops import homes, places_in, taken_at


@dataclass(frozen=True)
class Merge:
    """How a method made the tokens that stay out of those that were there.

    Attributes
    ----------
    states : torch.Tensor
        ``[..., k, hidden]``: the new tokens in the order in which the LLM gets them.
    anchors : torch.Tensor
        Int64 ``[..., k]``: the place, among the `n` alive tokens, that each stands for; -1 where it
        stands for none, as the encoder's CLS token does.
    into : torch.Tensor
        Int64 ``[..., n]``: into which of the new tokens each alive one went, the most where it went
        into several; -1 where it is lost.
    given_homes : torch.Tensor or None
        Int64 ``[..., k]``: the places that `homes` tells, where they are known already.
    """

    states: torch.Tensor
    anchors: torch.Tensor
    into: torch.Tensor
    given_homes: torch.Tensor | None = None

    @classmethod
    def joined(cls, merges: Sequence[Merge]) -> Merge:
        """One after another, as those of several images are."""
        if len(merges) == 1:
            return replace(merges[0], given_homes=merges[0].homes())
        ends = list(accumulate(merge.into.shape[-1] for merge in merges))
        made = list(accumulate(merge.anchors.shape[-1] for merge in merges))
        parts = list(zip(merges, [0, *ends[:-1]], [0, *made[:-1]], strict=True))
        return cls(
            torch.cat([merge.states for merge in merges], -2),
            torch.cat([_later(merge.anchors, start) for merge, start, _ in parts], -1),
            torch.cat([_later(merge.into, first) for merge, _, first in parts], -1),
            torch.cat([merge.homes() + start for merge, start, _ in parts], -1),
        )

    def of(self, row: int) -> Merge:
        """That of one of several rows."""
        homes = None if self.given_homes is None else self.given_homes[row]
        return Merge(self.states[row], self.anchors[row], self.into[row], homes)

    def homes(self) -> torch.Tensor:
        """The place among the alive tokens that each new one belongs to, int64 ``[..., k]``.

        Its anchor; a token without an anchor belongs to the first place left free.
        """
        if self.given_homes is not None:
            return self.given_homes
        return homes(self.anchors, self.into.shape[-1])

    def slots(self) -> torch.Tensor:
        """Places among the alive tokens that the new ones take, ascending, int64 ``[..., k]``."""
        return self.homes().sort(-1).values

    def in_place(self) -> Merge:
        """The same tokens ordered by the places they belong to, each in its own.

        Where positions are kept, a token must not get another patch's; and where there is text
        between visual tokens, none may come to stand on its other side.
        """
        homes = self.homes()
        order = homes.argsort(-1)
        rank = places_in(order, order.shape[-1])
        into = torch.where(self.into >= 0, rank.gather(-1, self.into.clamp_min(0)), self.into)
        states, anchors = taken_at(self.states, order), self.anchors.gather(-1, order)
        return Merge(states, anchors, into, homes.gather(-1, order))


def _later(places: torch.Tensor, start: int) -> torch.Tensor:
    """Places that count from `start`; -1 stays."""
    return torch.where(places < 0, -1, places + start)


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
        Where tokens are made anew; it then also says which stay. Of all rows at once, too.
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
            merge=None if self.merge is None else self.merge.of(row),
        )
