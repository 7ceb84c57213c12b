"""Chain: one method before the LLM, another inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch

from pruneviz.methods.base import (
    FLAGS,
    Method,
    Positions,
    Scores,
    Stage,
    StageContext,
    TransitionSpec,
)
from pruneviz.methods.pinned import Pinned


@dataclass(frozen=True, init=False)
class Chain(Method):
    """Several methods after one another, such as ResPrune and then TransPrune.

    Parameters
    ----------
    methods : sequence of Method
        In the order their layers come. Each one's ratios count from the tokens that the ones
        before it left. The trace gives all stages in original indices.
    """

    name: ClassVar[str] = "chain"
    title: ClassVar[str] = "Chain"
    summary: ClassVar[str] = "Several methods one after another."
    exact_prefix: ClassVar[bool] = False

    methods: Sequence[Method] = ()

    def __init__(self, methods: Sequence[Method]) -> None:
        """Check the order of the layers."""
        object.__setattr__(self, "methods", tuple(methods))
        for unused in ("keep_ratio", "keep_tokens", "num_layers"):
            object.__setattr__(self, unused, None)
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
        specs = [m.transition_spec() for m in self.methods]
        if sum(spec is not None for spec in specs) > 1:
            raise ValueError("Chain takes at most one method that reads TTV.")
        object.__setattr__(self, "title", " + ".join(m.title for m in self.methods))
        for flag in FLAGS:
            object.__setattr__(self, flag, any(getattr(m, flag) for m in self.methods))

    def _parts(self) -> list[tuple[Method, Stage]]:
        return [(method, stage) for method in self.methods for stage in method.stages()]

    def stages(self) -> tuple[Stage, ...]:
        """All stages in order."""
        return tuple(Stage(stage.layer, i) for i, (_, stage) in enumerate(self._parts()))

    def part(self, stage: Stage) -> tuple[Method, Stage]:
        """The member method and its own stage behind a stage of the chain."""
        return self._parts()[stage.index]

    def transition_spec(self) -> TransitionSpec | None:
        """That of the member which reads TTV."""
        return next((s for m in self.methods if (s := m.transition_spec()) is not None), None)

    def vision_layer(self) -> int | None:
        """That of the member before the LLM, the only one that may ask the encoder."""
        return next((n for m in self.methods if (n := m.vision_layer()) is not None), None)

    def positions_at(self, stage: Stage) -> Positions:
        """The member's published mode."""
        method, own = self.part(stage)
        return method.positions_at(own)

    def name_at(self, stage: Stage) -> str:
        """The member's name."""
        return self.part(stage)[0].name

    def plan(self, num_layers: int) -> tuple[Stage, ...]:
        """Every member's plan, checked."""
        for method in self.methods:
            method.plan(num_layers)
        return self.stages()

    def count(self, stage: Stage, num_visual: int) -> int:
        """Tokens left, from the number that entered the member method."""
        member, own = self.part(stage)
        return member.count(own, self._entering(member, num_visual))

    def total(self, stage: Stage, num_visual: int) -> int:
        """The same with what the member makes on top."""
        member, own = self.part(stage)
        return member.total(own, self._entering(member, num_visual))

    def count_now(self, stage: Stage, num_visual: int, left: Sequence[int]) -> int:
        """Tokens left, from the number that really entered the member method."""
        member, own = self.part(stage)
        first = stage.index - own.index
        entered = left[first - 1] if first else num_visual
        return member.count_now(own, entered, left[first:])

    def _entering(self, member: Method, num_visual: int) -> int:
        for method in self.methods:
            if method is member:
                break
            num_visual = method.total(method.stages()[-1], num_visual)
        return num_visual

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """The member's scores."""
        method, own = self.part(stage)
        return method.score(context, own, keep)

    def select(self, context: StageContext, stage: Stage, keep: int) -> tuple[torch.Tensor, Scores]:
        """The member's choice."""
        method, own = self.part(stage)
        return method.select(context, own, keep)

    def parameters(self) -> dict[str, Any]:
        """Each member's name and settings."""
        return {"methods": [{"name": m.name, **m.parameters()} for m in self.methods]}
