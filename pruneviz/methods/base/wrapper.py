"""Methods made of other methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import ClassVar

import torch

from pruneviz.methods.base.card import Card
from pruneviz.methods.base.context import StageContext
from pruneviz.methods.base.method import Method, Positions, Stage
from pruneviz.methods.base.needs import Needs
from pruneviz.methods.base.scores import Scores


@dataclass(frozen=True)
class Wrapper(Method):
    """Base of methods whose every stage is a stage of one of their `members`.

    What is asked of a stage is asked of its owner. Budgets are the members' own.
    """

    card: ClassVar[Card]

    keep_ratio: float | None = field(default=None, init=False, repr=False)
    keep_tokens: int | None = field(default=None, init=False, repr=False)
    num_layers: int | None = field(default=None, init=False, repr=False)

    @property
    @abstractmethod
    def members(self) -> Sequence[Method]:
        """The methods it is made of, in the order in which they prune."""

    def _owned(self) -> list[tuple[Method, Stage]]:
        return [(member, stage) for member in self.members for stage in member.stages()]

    def stages(self) -> tuple[Stage, ...]:
        """All members' stages in order."""
        return tuple(Stage(own.layer, index) for index, (_, own) in enumerate(self._owned()))

    def owner(self, stage: Stage) -> tuple[Method, Stage]:
        """The member behind a stage, and the member's own stage."""
        return self._owned()[stage.index]

    @property
    def needs(self) -> Needs:
        """What all members need."""
        return reduce(or_, (member.needs for member in self.members))

    @property
    def merges(self) -> bool:
        """Whether one of the members makes tokens anew."""
        return any(member.merges for member in self.members)

    @property
    def batched(self) -> bool:
        """Whether all members take several rows at once."""
        return all(member.batched for member in self.members)

    @property
    def terms(self) -> Mapping[str, str]:
        """All members' terms."""
        return {term: says for member in self.members for term, says in member.terms.items()}

    def positions_at(self, stage: Stage) -> Positions:
        """The owner's published mode."""
        member, own = self.owner(stage)
        return member.positions_at(own)

    def name_at(self, stage: Stage) -> str:
        """The owner's name."""
        member, own = self.owner(stage)
        return member.name_at(own)

    def plan(self, num_layers: int) -> tuple[Stage, ...]:
        """Every member's plan, checked."""
        for member in self.members:
            member.plan(num_layers)
        return self.stages()

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """The owner's scores."""
        member, own = self.owner(stage)
        return member.score(context, own, keep)

    def select(self, context: StageContext, stage: Stage, keep: int) -> tuple[torch.Tensor, Scores]:
        """The owner's choice."""
        member, own = self.owner(stage)
        return member.select(context, own, keep)
