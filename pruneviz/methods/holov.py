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
from pruneviz.ops.places import places_in, taken_at
from pruneviz.ops.stretches import (
    best_of_stretches,
    by_length,
    handed_on,
    shared_out,
    stretch_scores,
)

ORDERS = ("published", "raster")
OVERFLOWS = ("handed_on", "zeros")
FEATURES = ("projected", "none")


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

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention, and which tokens go on in which order."""
        seen, states = context.encoded(), context.visual_features()
        components = {"encoder": seen.attention}
        if keep >= states.shape[-2]:
            return Scores(seen.attention, components)
        parts, start = [], 0
        for part, share in seen.shares(keep):
            own = states[..., start : start + part.attention.shape[-1], :]
            parts.append((own, self._kept(part, own, share)))
            start += own.shape[-2]
        if not self.merges:
            kept, start = [], 0
            for own, places in parts:
                kept.append(start + places)
                start += own.shape[-2]
            return Scores(seen.attention, components, torch.cat(kept, -1).sort(-1).values)
        merge = Merge.joined([_put(own, places) for own, places in parts])
        return Scores(seen.attention, components, merge=merge)

    def _kept(self, seen: Encoded, states: torch.Tensor, keep: int) -> torch.Tensor:
        """Places of one image's kept tokens in their order; -1 for a row of zeros."""
        attention = seen.attention.float()
        total = attention.shape[-1]
        count = self.stretches or max(1, 1024 * total // (576 * keep))
        sizes = [total // count + (p < total % count) for p in range(count)]
        sizes = [size for size in sizes if size]
        projected = self.features == "projected"
        scores = [
            stretch_scores(looked, rows if projected else None)
            for looked, rows in zip(
                by_length(attention, sizes), by_length(states.float(), sizes, -2), strict=True
            )
        ]
        given, order = shared_out(torch.cat(scores, -1), keep)
        if self.overflow == "handed_on":
            given = handed_on(given, order, sizes)
        places = best_of_stretches(attention, given, sizes, keep)
        if self.order == "raster":
            # Rows of zeros stay last.
            places = torch.where(places < 0, total, places).sort(-1).values
            places = torch.where(places == total, -1, places)
        return places


def _put(states: torch.Tensor, places: torch.Tensor) -> Merge:
    """The tokens at these places in this order; -1 is a row of zeros."""
    there = taken_at(states, places.clamp_min(0))
    rows = torch.where((places >= 0)[..., None], there, torch.zeros_like(there[..., :1, :]))
    return Merge(rows, places, places_in(places, states.shape[-2]))
