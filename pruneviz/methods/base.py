"""What a pruning method is: where it prunes, by which score, and how many it keeps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Protocol, Self, get_args

import torch

from pruneviz.ops import split_budget, top_indices

Positions = Literal["renumber", "keep"]
FLAGS = ("needs_vision", "reads_grid", "reads_own_attention", "reads_raters", "merges")
"""Class attributes that a method made of others takes over from them."""
POSITIONS: tuple[str, ...] = get_args(Positions)


class StageContext(Protocol):
    """What a method may ask about one sample at one pruning stage.

    Everything is computed when asked for and only then. Shapes use ``n`` for the visual
    tokens still alive and ``d`` for the LLM's width.
    """

    layer: int
    num_visual: int
    alive: torch.Tensor
    device: torch.device

    def transition(self, layers: tuple[int, ...]) -> torch.Tensor:
        """TTV summed over those of `layers` that have run: float32 ``[n]``."""
        ...

    def attention(self, queries: str, own_layer: bool = False) -> torch.Tensor:
        """Mean attention of the queries to each token, heads averaged: float32 ``[n]``.

        `queries` is ``"after_image"``, ``"last"``, ``"question"`` (content words) or
        ``"raters"`` (text that matches the picture; the method must set `reads_raters`). Taken
        in the decoder layer after the pruning layer or, with `own_layer`, inside it (the method
        must then set `reads_own_attention`). Raises :class:`NoQueryError` where no such query
        exists.
        """
        ...

    def visual_features(self) -> torch.Tensor:
        """Hidden states of the alive visual tokens entering this stage: ``[n, d]``."""
        ...

    def text_features(self) -> tuple[torch.Tensor, str]:
        """Input embeddings of the question's words ``[t, d]`` and how they were chosen."""
        ...

    def vision_significance(self, include_cls: bool) -> torch.Tensor:
        """FoPru's significance from the vision encoder: float32 ``[num_visual]``."""
        ...

    def encoded(self) -> Encoded:
        """What the vision encoder left; the method must set `needs_vision`."""
        ...

    def images(self) -> tuple[int, ...]:
        """Visual tokens of each image, one after another; one number where that is not known.

        A method that does not ask the encoder must set `reads_grid`.
        """
        ...

    def crops(self) -> torch.Tensor:
        """The number of the crop, encoded on its own, that each token is from: int64 ``[n]``."""
        ...

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each grid that the visual tokens form, one after another."""
        ...


@dataclass(frozen=True)
class Encoded:
    """What the vision encoder left for one sample; `n` are its visual tokens, in the LLM's order.

    Attributes
    ----------
    attention : torch.Tensor
        Float32 ``[n]``: attention that each token receives, heads averaged. From the CLS token,
        or the mean over all queries where the encoder has none.
    keys : torch.Tensor
        ``[n, c]``: keys of the layer whose attention that is, heads averaged.
    features : torch.Tensor
        ``[n, d]``: the tokens that methods merge, `project` not yet applied.
    leading : torch.Tensor
        ``[images, d]``: the CLS tokens likewise; ``[0, d]`` without CLS.
    final : tuple of torch.Tensor
        Attention and keys of the layer after, taken as one head of full width: float32 ``[n]``
        and ``[n, c]``.
    project : callable
        From features to the LLM's input space.
    notes : tuple of str
        What stands in for what the encoder did not give.
    images : tuple of int
        Visual tokens of each image, one after another.
    """

    attention: torch.Tensor
    keys: torch.Tensor
    features: torch.Tensor
    leading: torch.Tensor
    final: tuple[torch.Tensor, torch.Tensor]
    project: Callable[[torch.Tensor], torch.Tensor]
    notes: tuple[str, ...] = ()
    images: tuple[int, ...] = ()

    def each(self) -> list[Encoded]:
        """The same of every image by itself."""
        if len(self.images) < 2:
            return [self]
        parts, first = [], 0
        for number, count in enumerate(self.images):
            own = slice(first, first + count)
            parts.append(
                replace(
                    self,
                    attention=self.attention[own],
                    keys=self.keys[own],
                    features=self.features[own],
                    leading=self.leading[number : number + 1],
                    final=(self.final[0][own], self.final[1][own]),
                    images=(count,),
                )
            )
            first += count
        return parts

    def shares(self, keep: int) -> list[tuple[Encoded, int]]:
        """Each image and its part of a budget; all as one where it is smaller than their number."""
        parts = self.each() if keep >= len(self.images) else [self]
        sizes = [len(part.attention) for part in parts]
        return list(zip(parts, split_budget(keep, sizes), strict=True))


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
        taken = torch.zeros(len(self.into), dtype=torch.bool, device=self.anchors.device)
        taken[self.anchors[self.anchors >= 0]] = True
        free = (~taken).nonzero().squeeze(-1)
        homes = self.anchors.clone()
        homes[homes < 0] = free[: int((homes < 0).sum())]
        return homes

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


class NoQueryError(ValueError):
    """No text token of the wanted kind follows the image."""


@dataclass(frozen=True)
class Stage:
    """Where a method prunes: after decoder layer `layer` (1-based; 0 = before the LLM)."""

    layer: int
    index: int = 0


@dataclass(frozen=True)
class TransitionSpec:
    """Which TTV a method reads.

    Attributes
    ----------
    layers : tuple of int
        1-based decoder layers.
    direction : str
        ``"one_minus_cos"`` (published code) or ``"one_minus_abs_cos"`` (paper).
    scope : str
        Softmax over the whole ``"sequence"`` (code) or over the ``"image"`` tokens.
    part : str
        ``"full"``, or the ablations ``"direction"`` (softmax alone) and ``"magnitude"``.
    """

    layers: tuple[int, ...]
    direction: str = "one_minus_cos"
    scope: str = "sequence"
    part: str = "full"


@dataclass(frozen=True)
class Scores:
    """What a method thought of each alive token.

    Attributes
    ----------
    total : torch.Tensor
        ``[n]``, larger is kept.
    components : dict of str to torch.Tensor
        Each ``[n]``, as they entered the total.
    kept : torch.Tensor or None
        Int64, ascending places among the alive tokens, where the method picks by itself;
        None = the largest totals.
    notes : tuple of str
        Fallbacks taken.
    merge : Merge or None
        Where tokens are made anew; it then also says which stay.
    """

    total: torch.Tensor
    components: dict[str, torch.Tensor] = field(default_factory=dict)
    kept: torch.Tensor | None = None
    notes: tuple[str, ...] = ()
    merge: Merge | None = None


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """Base of all pruning methods: frozen settings, no state.

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
    title: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str] = ""
    positions: ClassVar[Positions] = "renumber"
    needs_vision: ClassVar[bool] = False
    reads_own_attention: ClassVar[bool] = False
    reads_raters: ClassVar[bool] = False
    reads_grid: ClassVar[bool] = False
    """Whether it asks for the grids of patches, which only the vision encoder's run tells."""
    rounds: ClassVar[bool] = False
    """Whether counts are rounded, as some published code does, instead of rounded down."""
    merges: ClassVar[bool] = False
    """Whether tokens are made anew instead of picked."""
    exact_prefix: ClassVar[bool] = True
    """True where a smaller budget keeps a prefix of the same ranking."""
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
            if not isinstance(self.num_layers, int) or self.num_layers < 1:
                raise ValueError(f"num_layers must be a positive integer, not {self.num_layers!r}.")
            self.plan(self.num_layers)

    @property
    def budget_ratio(self) -> float:
        """The keep ratio, the method's default where neither ratio nor count was given."""
        return self.default_ratio if self.keep_ratio is None else float(self.keep_ratio)

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Build the method for a model of `num_layers`, its published layers scaled to fit."""
        return cls(num_layers=num_layers, **settings)

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The pruning stages, in order."""

    @abstractmethod
    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Scores of the alive tokens; `keep` of them will stay."""

    def transition_spec(self) -> TransitionSpec | None:
        """Which TTV must be recorded for :meth:`score`; None = none."""
        return None

    def vision_layer(self) -> int | None:
        """Layer of the vision encoder whose attention it asks for; None = the family's choice.

        Counted from 1, or from the end if negative.
        """
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
        whole = round if self.rounds else int
        return check_count(whole(num_visual * ratio), num_visual, ratio)

    def select(self, context: StageContext, stage: Stage, keep: int) -> tuple[torch.Tensor, Scores]:
        """Places (ascending, int64 ``[keep]``) among the alive tokens, and the scores."""
        scores = self.score(context, stage, keep)
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
        return f"Choose a layer from 1 to {num_layers - 1}."

    def parameters(self) -> dict[str, Any]:
        """Settings as plain values, without those left at None."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value is not None
        }


def check_budget(keep_ratio: float | None, keep_tokens: int | None) -> None:
    """Raise ValueError unless at most one of the two is given and it makes sense."""
    if keep_ratio is not None and keep_tokens is not None:
        raise ValueError("Give keep_ratio or keep_tokens, not both.")
    if keep_ratio is not None:
        check_ratio(keep_ratio)
    if keep_tokens is not None and (
        isinstance(keep_tokens, bool) or not isinstance(keep_tokens, Integral) or keep_tokens < 1
    ):
        raise ValueError(f"keep_tokens must be a whole number of at least 1, not {keep_tokens!r}.")


def check_ratio(value: float, what: str = "keep_ratio") -> float:
    """Return `value` as float if it lies in (0, 1], else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{what} must be a number above 0 and up to 1, not {value!r}.")
    if not 0.0 < value <= 1.0:
        raise ValueError(
            f"{what} must be above 0 and up to 1, not {value!r}: it is the share of the visual "
            "tokens that is kept (1 keeps them all)."
        )
    return float(value)


def check_number(value: Any, what: str, high: float = math.inf) -> None:
    """Raise ValueError unless `value` is a finite number from 0 to `high`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0.0 <= value <= high:
        upper = "of at least 0" if high == math.inf else f"from 0 to {high:g}"
        raise ValueError(f"{what} must be a number {upper}, not {value!r}.")


def as_tuple(value: Any, what: str) -> tuple[Any, ...]:
    """Return a sequence's values as a tuple; raises ValueError on a single value."""
    try:
        return tuple(value)
    except TypeError:
        raise ValueError(
            f"{what} must be a sequence such as ({value!r},), not {value!r}."
        ) from None


def check_count(count: int, num_visual: int, ratio: float | None = None) -> int:
    """Return `count` if it lies in 1..num_visual, else raise ValueError."""
    if count < 1:
        shown = "" if ratio is None else f" {ratio:g} of"
        raise ValueError(
            f"Keeping{shown} {num_visual} visual tokens leaves none; the smallest keep ratio for "
            f"this image is {1 / num_visual:.4g}."
        )
    if count > num_visual:
        raise ValueError(f"Cannot keep {count} visual tokens: the image has {num_visual}.")
    return count
