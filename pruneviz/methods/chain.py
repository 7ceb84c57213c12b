"""Chain: one method before the LLM, another inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

from pruneviz.methods.base import Card, Formula, Host, Method, Stage, Wrapper
from pruneviz.methods.pinned import Pinned


@dataclass(frozen=True)
class Chain(Wrapper):
    """Several methods after one another, such as ResPrune and then TransPrune.

    Parameters
    ----------
    methods : sequence of Method
        In the order their layers come. Each one's ratios count from the tokens that the ones
        before it left. The trace gives all stages in original indices.
    """

    name: ClassVar[str] = "chain"
    card: ClassVar[Card] = Card(
        title="Chain",
        summary="Several methods one after another.",
        decides="each member at its own stages",
        standing="ours",
        formula=Formula(
            ((r"K_m = ⌊r_m K_{m - 1}⌋", "kept after member m"),),
            (("r_m", "keep ratio of member m, of the patches that the one before it left"),),
            "A combination of ours; every member scores as it does alone.",
        ),
    )

    methods: Sequence[Method]

    def __post_init__(self) -> None:
        """Check the order of the layers."""
        object.__setattr__(self, "methods", tuple(self.methods))
        if not self.methods:
            raise ValueError("Chain needs at least one method.")
        if any(isinstance(method, Pinned) for method in self.methods):
            raise ValueError("Put the pins around the chain: Pinned(Chain([...]), keep=...).")
        for earlier, later in pairwise(self.methods):
            if earlier.stages()[-1].layer >= later.stages()[0].layer:
                raise ValueError(
                    f"Chain: {later.title} would prune after layer {later.stages()[0].layer}, "
                    f"but {earlier.title} before it prunes after layer "
                    f"{earlier.stages()[-1].layer}. Order them by layer."
                )
        if sum(method.needs.transitions is not None for method in self.methods) > 1:
            raise ValueError("Chain takes at most one method that reads TTV.")

    @property
    def title(self) -> str:  # type: ignore[override]
        """The members' titles."""
        return " + ".join(method.title for method in self.methods)

    @property
    def members(self) -> Sequence[Method]:
        """The methods."""
        return self.methods

    def on(self, host: Host) -> Chain:
        """Every member on that model."""
        return replace(self, methods=[method.on(host) for method in self.methods])

    def count(self, stage: Stage, num_visual: int) -> int:
        """Tokens left, from the number that entered the member method."""
        member, own = self.owner(stage)
        return member.count(own, self._entering(member, num_visual))

    def total(self, stage: Stage, num_visual: int) -> int:
        """The same with what the member makes on top."""
        member, own = self.owner(stage)
        return member.total(own, self._entering(member, num_visual))

    def count_now(self, stage: Stage, num_visual: int, left: Sequence[int]) -> int:
        """Tokens left, from the number that really entered the member method."""
        member, own = self.owner(stage)
        first = stage.index - own.index
        entered = left[first - 1] if first else num_visual
        return member.count_now(own, entered, left[first:])

    def _entering(self, member: Method, num_visual: int) -> int:
        for method in self.methods:
            if method is member:
                break
            num_visual = method.total(method.stages()[-1], num_visual)
        return num_visual

    def parameters(self) -> dict[str, Any]:
        """Each member's name and settings."""
        return {"methods": [{"name": m.name, **m.parameters()} for m in self.methods]}
