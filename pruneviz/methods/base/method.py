"""The method itself: where it prunes, by which score, and how many it keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self, get_args

import torch

from pruneviz.methods.base.answer import check_scores
from pruneviz.methods.base.card import Card
from pruneviz.methods.base.checks import MOST_LAYERS, check_budget, check_count, check_whole
from pruneviz.methods.base.context import StageContext
from pruneviz.methods.base.host import Host
from pruneviz.methods.base.needs import Needs
from pruneviz.methods.base.scores import Scores
from pruneviz.ops import top_indices

Positions = Literal["renumber", "keep"]
POSITIONS: tuple[str, ...] = get_args(Positions)


class _FromCard:
    """A field of the card, on the class and on its instances."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: Any, owner: type[Method]) -> str:
        return str(getattr(owner.card, self._name))


def _from_card(name: str) -> Any:
    return _FromCard(name)


@dataclass(frozen=True)
class Stage:
    """Where a method prunes: after decoder layer `layer` (1-based; 0 = before the LLM)."""

    layer: int
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """Base of all pruning methods: frozen settings, no state.

    A class has a `name` (lower-case, for the registry) and a `card`.

    Parameters
    ----------
    keep_ratio : float, optional
        Share of the original visual tokens kept after the last stage, in (0, 1].
    keep_tokens : int, optional
        Exact number kept after the last stage; excludes `keep_ratio`.
    num_layers : int, optional
        Depth of the model it is meant for. Where given, layer settings are checked at once
        instead of when the method meets a model.
    """

    name: ClassVar[str]
    card: ClassVar[Card]
    title: ClassVar[str] = _from_card("title")
    summary: ClassVar[str] = _from_card("summary")
    paper: ClassVar[str] = _from_card("paper")
    positions: ClassVar[Positions] = "renumber"
    default_ratio: ClassVar[float] = 0.25
    """Keep ratio where neither ratio nor count is given."""

    keep_ratio: float | None = None
    keep_tokens: int | None = None
    num_layers: int | None = None

    def __post_init__(self) -> None:
        """Check the settings; subclasses call this first."""
        check_budget(self.keep_ratio, self.keep_tokens)
        # NumPy's numbers become Python's, so that a trace's settings are plain values.
        for field_name, kind in (("keep_ratio", float), ("keep_tokens", int)):
            value = getattr(self, field_name)
            if value is not None:
                object.__setattr__(self, field_name, kind(value))
        if self.num_layers is not None:
            check_whole(self.num_layers, "num_layers", 1, MOST_LAYERS)
            self.plan(self.num_layers)

    @property
    def budget_ratio(self) -> float:
        """The keep ratio, the method's default where neither ratio nor count was given."""
        return self.default_ratio if self.keep_ratio is None else float(self.keep_ratio)

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Build the method for a model of `num_layers`, its published layers scaled to fit."""
        return cls(num_layers=num_layers, **settings)

    @classmethod
    def where(cls) -> str:
        """Where it prunes with its published settings, in words."""
        layers = [stage.layer for stage in cls().stages() if stage.layer > 0]
        if not layers:
            return "before the LLM"
        listed = ", ".join(map(str, layers))
        return f"after layer{'s'[: len(layers) > 1]} {listed}"

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The pruning stages, in order."""

    @abstractmethod
    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Scores of the alive tokens; `keep` of them will stay."""

    def on(self, host: Host) -> Self:
        """The method with every setting that was left to the model filled in."""
        return self

    @property
    def needs(self) -> Needs:
        """What must be watched for :meth:`score`."""
        return Needs()

    @property
    def merges(self) -> bool:
        """Whether tokens are made anew instead of picked."""
        return self.card.merges

    @property
    def nested(self) -> bool:
        """Whether a smaller budget keeps the first of the same ranking."""
        return self.card.nested

    @property
    def batched(self) -> bool:
        """Whether :meth:`score` takes several rows of a batch at once.

        Then what a context gives and what :class:`Scores` holds has a dimension more in front,
        the rows; they have equally many visual tokens. Else it is asked row by row.
        """
        return False

    @property
    def apart(self) -> bool:
        """Whether rows of a batch that are equal may each get a choice of their own.

        Else equal neighbours, as beams are, are chosen for once.
        """
        return False

    @property
    def terms(self) -> Mapping[str, str]:
        """Components of the score, and what each says of a patch."""
        return self.card.terms

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms, in a sentence; empty where there is no more."""
        return ""

    def foreseen(self, num_visual: int, keep: int) -> Sequence[int] | None:
        """The places kept of `num_visual` where they follow from the numbers alone, ascending."""
        return None

    def positions_at(self, stage: Stage) -> Positions:
        """Published position mode at this stage."""
        return self.positions

    def name_at(self, stage: Stage) -> str:
        """Name of the method that decides at this stage."""
        return self.name

    def count(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens left after this stage, from the original number.

        Raises
        ------
        ValueError
            If nothing would be left or more is asked for than there is.
        """
        if self.keep_tokens is not None:
            return check_count(self.keep_tokens, num_visual)
        return self.share_of(num_visual, self.budget_ratio)

    def total(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens after this stage with those made on top of :meth:`count`."""
        return self.count(stage, num_visual)

    def count_now(self, stage: Stage, num_visual: int, left: Sequence[int]) -> int:
        """As :meth:`count`, where it is known how many each stage before this really left."""
        return self.count(stage, num_visual)

    def share_of(self, num_visual: int, ratio: float) -> int:
        """How many tokens a keep ratio means, checked."""
        return check_count(self.card.count(num_visual * ratio), num_visual, ratio)

    def select(self, context: StageContext, stage: Stage, keep: int) -> tuple[torch.Tensor, Scores]:
        """Places (ascending, int64 ``[..., keep]``) among the alive tokens, and the scores."""
        scores = self.score(context, stage, keep)
        check_scores(scores, tuple(context.alive.shape), self.title)
        if scores.merge is not None:
            return scores.merge.slots(), scores
        kept = top_indices(scores.total, keep) if scores.kept is None else scores.kept
        return kept, scores

    def plan(self, num_layers: int) -> tuple[Stage, ...]:
        """The stages, checked against a model of `num_layers` decoder layers.

        Raises
        ------
        ValueError
            If a stage lies outside the model.
        """
        stages = self.stages()
        layers = [stage.layer for stage in stages if stage.layer > 0]
        if layers and max(layers) >= num_layers:
            shown = "/".join(map(str, layers))
            raise ValueError(
                f"{self.title} prunes after layer {shown}, but the model has {num_layers} decoder "
                f"layers and pruning must come before the last. {self._depth_advice(num_layers)}"
            )
        return stages

    def _depth_advice(self, num_layers: int) -> str:
        if num_layers < 2:
            return "It cannot be used on a model of one layer."
        return f"Choose a layer from 1 to {num_layers - 1}."

    def parameters(self) -> dict[str, Any]:
        """Settings as plain values, without those left at None."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value is not None
        }
