"""Pinned: any method, with some visual tokens kept or dropped by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import torch

from pruneviz.methods.base import (
    Card,
    Formula,
    Host,
    Method,
    Scores,
    Stage,
    StageContext,
    Wrapper,
    check_whole,
)


@dataclass(frozen=True)
class Pinned(Wrapper):
    """A method whose choice is overruled for single visual tokens.

    Pinned-kept tokens survive every stage; pinned-dropped ones fall at the first. The number
    left after a stage stays the method's own, plus `extra`: pins count towards it, and the
    method's own picks (the best-scored ones first, then the best of what it would have dropped)
    fill the rest. It differs only where it must: more pinned-kept tokens than the budget raise
    it to their number, and pinned-dropped tokens that leave too few others lower it.

    Parameters
    ----------
    method : Method
        What decides about all other tokens; a :class:`~pruneviz.methods.chain.Chain` too. Its
        scores are untouched in the trace; a stage's `notes` say what the pins changed there.
    keep, drop : iterable of int
        Indices from 0 among the original visual tokens of each sample.
    extra : int
        Tokens kept beyond the method's own number, at every stage.

    Raises
    ------
    ValueError
        If an index is negative, no whole number or both kept and dropped; if `extra` is negative
        or `method` is itself pinned. When run: if an index is beyond the image's visual tokens
        or nothing would be left.

    Notes
    -----
    A method that merges tokens only picks where anything is pinned. Scores of later
    stages may differ from an unpinned run's, for the model then sees other
    tokens in between.
    """

    name: ClassVar[str] = "pinned"
    card: ClassVar[Card] = Card(
        title="Pinned",
        summary="Any method, with some patches kept or dropped by hand.",
        decides="the method, but for the pinned patches",
        standing="ours",
        formula=Formula(
            ((r"K = \text{the method's own number, pins included}", "patches kept"),),
            (),
            "What is pinned by hand comes first; the method's own picks fill the rest.",
        ),
    )

    method: Method
    keep: Collection[int] = ()
    drop: Collection[int] = ()
    extra: int = 0

    def __post_init__(self) -> None:
        """Check and sort the pins."""
        if not isinstance(self.method, Method) or isinstance(self.method, Pinned):
            raise ValueError(
                "Pinned takes a method that is not itself pinned; put all pins in one."
            )
        extra = self.extra
        check_whole(extra, "extra", 0)
        kept, dropped = _indices(self.keep, "keep"), _indices(self.drop, "drop")
        both = sorted(set(kept) & set(dropped))
        if both:
            raise ValueError(f"Visual tokens pinned as kept and as dropped: {_listed(both)}.")
        for name, value in (("keep", kept), ("drop", dropped), ("extra", int(extra))):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, method: Method) -> Pinned:
        """A method as a pinned one: itself if it is, else without any pin."""
        return method if isinstance(method, cls) else cls(method)

    @property
    def touched(self) -> bool:
        """Whether anything is pinned."""
        return bool(self.keep or self.drop or self.extra)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The method's title, and whether there are pins."""
        return f"{self.method.title} + pins" if self.touched else self.method.title

    @property
    def batched(self) -> bool:
        """Pins are each image's own."""
        return not self.touched and super().batched

    @property
    def members(self) -> Sequence[Method]:
        """The method alone."""
        return (self.method,)

    def on(self, host: Host) -> Pinned:
        """The method on that model."""
        return replace(self, method=self.method.on(host))

    @property
    def scored_by(self) -> str:
        """As the method says."""
        return self.method.scored_by

    def count(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens left after this stage, from the original number.

        Raises
        ------
        ValueError
            If a pin lies beyond the image or nothing would be left.
        """
        self._check(num_visual)
        return self._target(self.method.count(stage, num_visual), num_visual)

    def total(self, stage: Stage, num_visual: int) -> int:
        """The method's own where nothing is pinned; with pins nothing is made on top."""
        if self.touched:
            return self.count(stage, num_visual)
        return self.method.total(stage, num_visual)

    def count_now(self, stage: Stage, num_visual: int, left: Sequence[int]) -> int:
        """As :meth:`count`, from the numbers that stages really left."""
        return self._target(self.method.count_now(stage, num_visual, left), num_visual)

    def select(self, context: StageContext, stage: Stage, keep: int) -> tuple[torch.Tensor, Scores]:
        """The method's choice, pins put in and out."""
        self._check(context.num_visual)
        if not self.touched:
            return self.method.select(context, stage, keep)
        alive = context.alive
        budget = min(self.method.count(stage, context.num_visual), len(alive))
        own, scores = self.method.select(context, stage, budget)
        kept = torch.isin(alive, alive.new_tensor(self.keep))
        dropped = torch.isin(alive, alive.new_tensor(self.drop))
        chosen = torch.zeros_like(kept).index_fill(0, own, True)
        # By score, then stably by standing: forced in, the method's picks, others, forced out.
        best = torch.sort(scores.total, descending=True, stable=True).indices
        standing = 4 * kept.int() + 2 * chosen.int() - 8 * dropped.int()
        order = best[torch.sort(standing[best], descending=True, stable=True).indices]
        # A method may pick another number than it was asked for, such as whole rows.
        target = min(self._target(len(own), context.num_visual), len(alive) - int(dropped.sum()))
        places = order[:target].sort().values
        notes = self._notes(chosen, kept, dropped, places, len(own))
        if scores.merge is not None:
            # Its tokens are made for its own choice; with another one every token stays itself.
            notes = (*notes, "Patches are pinned: nothing is merged or put in another order.")
            return places, replace(scores, notes=(*scores.notes, *notes), merge=None)
        return places, replace(scores, notes=(*scores.notes, *notes))

    def parameters(self) -> dict[str, Any]:
        """The method's name and settings, and the pins."""
        return {
            "method": {"name": self.method.name, **self.method.parameters()},
            "keep": list(self.keep),
            "drop": list(self.drop),
            "extra": self.extra,
        }

    def _target(self, own: int, num_visual: int) -> int:
        return min(max(own + self.extra, len(self.keep)), num_visual - len(self.drop))

    def _check(self, num_visual: int) -> None:
        beyond = [token for token in (*self.keep, *self.drop) if token >= num_visual]
        if beyond:
            raise ValueError(
                f"Pinned visual tokens {_listed(beyond)} do not exist: the image has {num_visual}, "
                "counted from 0."
            )
        if len(self.drop) >= num_visual:
            raise ValueError("All visual tokens are pinned as dropped; leave at least one.")

    def _notes(
        self,
        chosen: torch.Tensor,
        kept: torch.Tensor,
        dropped: torch.Tensor,
        places: torch.Tensor,
        own: int,
    ) -> tuple[str, ...]:
        """What the pins changed at one stage; nothing where they changed nothing."""
        after = torch.zeros_like(kept).index_fill(0, places, True)
        counts = [
            (kept & ~chosen, "kept by hand against the method"),
            (dropped & chosen, "dropped by hand against the method"),
            (after & ~chosen & ~kept, "kept in their place or beyond the budget"),
            (chosen & ~after & ~dropped, "dropped to stay in the budget"),
        ]
        parts = [f"{int(mask.sum())} {what}" for mask, what in counts if bool(mask.any())]
        if len(places) != own:
            parts.append(f"{len(places)} in all instead of {own}")
        return (f"Pins: {', '.join(parts)}.",) if parts else ()


def _indices(values: Iterable[int], what: str) -> tuple[int, ...]:
    try:
        found = list(values)
    except TypeError:
        raise ValueError(f"{what} must be a sequence of token indices, not {values!r}.") from None
    for value in found:
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise ValueError(
                f"{what} takes indices of visual tokens, whole numbers from 0, not {value!r}."
            )
    return tuple(sorted({int(value) for value in found}))


def _listed(tokens: list[int], most: int = 8) -> str:
    shown = ", ".join(map(str, tokens[:most]))
    return shown if len(tokens) <= most else f"{shown} and {len(tokens) - most} more"
