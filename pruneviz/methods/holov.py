"""HoloV: the budget is spread over stretches of the picture by how much they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Choice,
    Encoded,
    Formula,
    Merge,
    Needs,
    Scores,
    Stage,
    StageContext,
    check_choice,
)

ORDERS = ("published", "raster")
OVERFLOWS = ("handed_on", "zeros")
FEATURES = ("projected", "none")
_VARIETY = 0.09
_SCALE = 1000.0
_SMALL = 1e-6


@dataclass(frozen=True, kw_only=True)
class HoloV(BeforeLLM):
    """Give every stretch of the picture its share of the budget, then keep its best patches.

    Parameters
    ----------
    stretches : int, optional
        Into how many runs of the raster order an image is cut. Default: ``1024 N / (576 K)``,
        which is 16 for 64 of 576 tokens, as published.
    order : {"published", "raster"}
        In which order the kept tokens go on: stretch by stretch, the most attended first, or as
        they lie in the picture.
    overflow : {"handed_on", "zeros"}
        What becomes of tokens given to a stretch beyond those it holds: they go to the others,
        or, as published, rows of zeros take their places at the end.
    features : {"projected", "none"}
        Whether the tokens' likeness enters the score of a stretch. It hardly matters: the
        published formula scales its variance to the attention's mean and then averages, so that it
        cancels unless all tokens of a stretch are orthogonal.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    HoloV (NeurIPS 2025, arXiv 2510.02912), as its published code for LLaVA: CLS attention of the
    layer that the features come from, tokens after the projector. Without CLS the attention is
    averaged over all queries. Its code for Qwen compares scores with tokens in another order and
    counts one token beside the image; that is not copied. Each of several images has its share of
    the budget. Where text lies between visual tokens, or positions are kept, the kept ones stand
    in their own places.
    """

    name: ClassVar[str] = "holov"
    card: ClassVar[Card] = Card(
        title="HoloV",
        summary=(
            "Before the LLM, shares the budget out over stretches of the picture by the vision "
            "encoder's attention and keeps the best patches of each; the question plays no part."
        ),
        decides="the encoder's attention, stretch by stretch of the picture",
        standing="equal to its code on 2 reference runs",
        paper="https://arxiv.org/abs/2510.02912",
        formula=Formula(
            (
                (r"v_i = \frac{1}{m - 1} ∑_j (S_{i, j} - μ_i)^2", "variety"),
                (
                    r"s_p = mean_{i ∈ p}(1000 a_i + 0.09 v_i \frac{mean(1000 a)}{mean(v)})",
                    "score of a stretch",
                ),
                (r"K_p = ⌊K \frac{s_p}{∑_q s_q}⌋", "the rest one each to the largest"),
                (r"kept = \text{the } K_p \text{ largest } a", "in stretch p"),
                (r"P = ⌊\frac{1024 N}{576 K}⌋", "stretches"),
            ),
            (
                ("a", "attention of the encoder's CLS token; without one, averaged over all"),
                ("S, μ", "cosines of a stretch's tokens, 0 on the diagonal, and their mean"),
                ("m", "tokens of the stretch"),
                BUDGET,
            ),
            "As in the published code, which writes 16 stretches for 64 tokens; the rule for other "
            "budgets is its Qwen version's. Tokens beyond what a stretch holds are handed on, "
            "where the code puts zeros.",
        ),
        terms={"encoder": "attention paid inside the vision encoder"},
        options=(
            Choice("order", "Stretch by stretch, as published, or as in the picture.", ORDERS),
        ),
        merges=True,
    )

    stretches: int | None = None
    order: str = "published"
    overflow: str = "handed_on"
    features: str = "projected"

    def __post_init__(self) -> None:
        """Check the switches."""
        super().__post_init__()
        number = self.stretches
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise ValueError(f"stretches must be a whole number, not {number!r}.")
        if number is not None and number < 1:
            raise ValueError(f"stretches must be at least 1, not {number}.")
        check_choice(self.order, "order", ORDERS)
        check_choice(self.overflow, "overflow", OVERFLOWS)
        check_choice(self.features, "features", FEATURES)

    @property
    def needs(self) -> Needs:
        """The encoder's attention."""
        return Needs(encoder=True)

    @property
    def merges(self) -> bool:
        """Tokens in another order, or of zeros, are not picked by a mask."""
        return self.order == "published" or self.overflow == "zeros"

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention, and which tokens go on in which order."""
        seen, states = context.encoded(), context.visual_features()
        components = {"encoder": seen.attention}
        if keep >= len(states):
            return Scores(seen.attention, components)
        parts, start = [], 0
        for part, share in seen.shares(keep):
            own = states[start : start + len(part.attention)]
            parts.append((own, self._kept(part, own, share)))
            start += len(own)
        if not self.merges:
            kept, start = [], 0
            for own, places in parts:
                kept.append(start + places)
                start += len(own)
            return Scores(seen.attention, components, torch.cat(kept).sort().values)
        merge = Merge.joined([_put(own, places) for own, places in parts])
        return Scores(seen.attention, components, merge=merge)

    def _kept(self, seen: Encoded, states: torch.Tensor, keep: int) -> torch.Tensor:
        """Places of one image's kept tokens in their order; -1 for a row of zeros."""
        attention = seen.attention.float()
        total = len(attention)
        count = self.stretches or max(1, 1024 * total // (576 * keep))
        sizes = [total // count + (p < total % count) for p in range(count)]
        sizes = [size for size in sizes if size]
        weights = self._weights(attention, states.float(), sizes)
        given = _shared(weights, keep)
        if self.overflow == "handed_on":
            given = _handed_on(given, sizes, weights)
        found, start = [], 0
        for size, number in zip(sizes, given, strict=True):
            own = attention[start : start + size]
            best = torch.sort(own, descending=True, stable=True).indices[:number]
            found.append(start + (best if number < size else torch.arange(size).to(best)))
            start += size
        places = torch.cat(found)
        if self.order == "raster":
            places = places.sort().values
        return torch.cat([places, places.new_full((keep - len(places),), -1)])

    def _weights(
        self, attention: torch.Tensor, states: torch.Tensor, sizes: list[int]
    ) -> torch.Tensor:
        """Each stretch's share of the budget, float32 ``[stretches]``."""
        scores = [
            _stretch(own, rows if self.features == "projected" else None)
            for own, rows in zip(attention.split(sizes), states.split(sizes), strict=True)
        ]
        score = torch.stack(scores)
        return score / (score.sum() + _SMALL)


def _stretch(attention: torch.Tensor, states: torch.Tensor | None) -> torch.Tensor:
    """Score of one stretch: its attention, and a little for how its tokens vary."""
    if len(attention) == 1:
        return attention[0]
    large = _SCALE * attention
    if states is None:
        return large.mean()
    unit = states / (states.norm(dim=-1, keepdim=True) + _SMALL)
    alike = (unit @ unit.T).fill_diagonal_(0)
    others = len(attention) - 1
    mean = alike.sum(-1, keepdim=True) / others
    variety = (alike - mean).square().sum(-1) / others
    scale = large.abs().mean() / (variety.abs().mean() + _SMALL)
    return (large + _VARIETY * variety * scale).mean()


def _shared(weights: torch.Tensor, keep: int) -> list[int]:
    """How many tokens each stretch is given; what rounding leaves goes to the heaviest."""
    given = (weights * keep).floor().long().tolist()
    order = torch.sort(weights, descending=True, stable=True).indices.tolist()
    for place in order[: keep - sum(given)]:
        given[place] += 1
    return [int(number) for number in given]


def _handed_on(given: list[int], sizes: list[int], weights: torch.Tensor) -> list[int]:
    """The same where none is given more than it holds: the surplus goes round by weight."""
    held = [min(number, size) for number, size in zip(given, sizes, strict=True)]
    surplus = sum(given) - sum(held)
    order = torch.sort(weights, descending=True, stable=True).indices.tolist()
    while surplus:
        room = [place for place in order if held[place] < sizes[place]][:surplus]
        for place in room:
            held[place] += 1
        surplus -= len(room)
    return held


def _put(states: torch.Tensor, places: torch.Tensor) -> Merge:
    """The tokens at these places in this order; -1 is a row of zeros."""
    real = places >= 0
    rows = torch.where(real[:, None], states[places.clamp_min(0)], torch.zeros_like(states[:1]))
    into = torch.full_like(places.new_empty(len(states)), -1)
    into[places[real]] = torch.arange(len(places), device=places.device)[real]
    return Merge(rows, places, into)
