"""SparseVLM: attention of those text tokens that look at the picture at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    Card,
    Formula,
    Merge,
    Needs,
    ScheduledMethod,
    Scores,
    Stage,
    StageContext,
    check_count,
    check_flag,
    slashed,
)
from pruneviz.ops import density_peaks, group_means

LAYERS = (3, 7, 16)
# Tokens of 576 that the code keeps after each of its layers, for its four budgets.
PUBLISHED = ((66, 30, 17), (238, 48, 26), (303, 110, 36), (300, 200, 110))
_OF = 576
# Share of the dropped tokens that is recycled.
_AGAIN = 0.3


@dataclass(frozen=True, kw_only=True)
class SparseVLM(ScheduledMethod):
    """Let the text tokens that match the picture best rate the patches, in stages.

    Raters are chosen once, from embeddings: text tokens whose mean share of the softmax over
    the text, taken for every visual token, is above average. The score is their mean attention
    inside the pruning layer itself, averaged over heads.

    Parameters
    ----------
    prune_layers, keep_ratios : tuple, optional
        Published: after layers 3, 7, 16 of 32; 300, 200 and 110 of 576 tokens by default.
    recycle : bool
        Whether the better part of what is dropped goes on in a few further tokens: the best
        scored 30 % of it, and one token, are clustered into a tenth as many, and one. Means of
        the clusters follow the kept visual tokens.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. Recycled tokens are part of such a budget; on
        the published schedule, or one of your own `keep_ratios`, they come on top, as published.
        Between the four published budgets (110, 36, 26 and 17 tokens at the end) stages are
        interpolated linearly, which is ours.

    Notes
    -----
    SparseVLM (ICML 2025, arXiv 2410.04417), first version of its code, which always recycles;
    here it is asked for, because without it all methods only pick. The code's clusters depend
    on chance where densities are equal; these do not. Positions are renumbered.
    ``round(N * ratio)`` tokens, so that 576 gives the published counts. The code's second version
    (original positions, no recycling, fourteen chosen heads, attention divided by a term of
    positions alone) is not there: that term is not known from a formula.
    """

    name: ClassVar[str] = "sparsevlm"
    card: ClassVar[Card] = Card(
        title="SparseVLM",
        summary=(
            "Drops patches in stages inside the LLM, by how little those words of the question "
            "that match the picture attend to them."
        ),
        decides=(
            "attention of the words that match the picture; `recycle=True` merges the best of what "
            "is dropped"
        ),
        standing="by the rules of its code, version 1; version 2 is not there",
        paper="https://arxiv.org/abs/2410.04417",
        formula=Formula(
            (
                (r"m_t = \frac{1}{N} ∑_i \frac{exp(v_i · e_t)}{∑_s exp(v_i · e_s)}", "match"),
                (r"R = \{t : m_t > mean(m)\}", "the raters"),
                (r"score_i = \frac{1}{|R|} ∑_{t ∈ R} a_{t, i}", "in layer p itself"),
                (r"K_p = round(r_p N)", "largest scores kept after layer p"),
            ),
            (
                ("v_i", "patch i as it enters the LLM"),
                ("e_t", "embedding of text token t, one after the image"),
                ("a", "attention in layer p, softmax over all tokens, mean over heads"),
                ("p", "the layer after which patches are dropped"),
                (
                    "r_p",
                    "keep ratio of the stage: between the published ones, interpolated by the last",
                ),
                ("N", BUDGET[1].split(",")[0]),
            ),
            f"Published: after layers {slashed(LAYERS)} of 32 keep 300/200/110 of 576 patches, or "
            "three smaller budgets; interpolation between them is ours. Its code also makes a "
            "few new tokens of dropped patches: the parameter recycle does so. The formulas are "
            "the published code's first version; we do not know their numbers in the paper.",
        ),
        terms={
            "raters": "attention paid by the words that match the picture",
        },
        merges=True,
        rounding="nearest",
    )
    published_layers: ClassVar[tuple[int, ...]] = LAYERS
    published_ratios: ClassVar[tuple[float, ...]] = tuple(n / _OF for n in PUBLISHED[-1])

    recycle: bool = False

    def __post_init__(self) -> None:
        """Check the switch."""
        super().__post_init__()
        check_flag(self.recycle, "recycle")

    @property
    def needs(self) -> Needs:
        """The raters, and attention inside the pruning layers."""
        return Needs(own_attention=True, raters=True)

    @property
    def merges(self) -> bool:
        """Recycled tokens are made anew."""
        return self.recycle

    @property
    def batched(self) -> bool:
        """Unless tokens are made anew."""
        return not self.recycle

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Mean attention of the raters inside the pruning layer."""
        attention = context.attention("raters", own_layer=True)
        merge = None
        if self.recycle and keep < attention.shape[-1]:
            merge = _recycled(context.visual_features(), attention, keep)
        return Scores(attention, {"raters": attention}, merge=merge)

    def count(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens picked at a stage.

        Raises
        ------
        ValueError
            If a budget is too small for what is recycled.
        """
        return self._course(num_visual)[stage.index][0]

    def total(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens after a stage, recycled ones too."""
        return self._course(num_visual)[stage.index][1]

    def _course(self, num_visual: int) -> list[tuple[int, int]]:
        """How many tokens are picked at each stage, and how many there are after it."""
        course, alive = [], num_visual
        part_of_it = self.keep_ratio is not None or self.keep_tokens is not None
        for stage in self.stages():
            kept = total = min(self._planned(stage, num_visual), alive)
            if self.recycle and kept < alive:
                if part_of_it:
                    kept = _leaving_room(kept, alive)
                total = kept + _clusters(_recyclable(alive - kept))
            course.append((kept, total))
            alive = total
        if self.keep_tokens is not None and alive > self.keep_tokens:
            raise ValueError(
                f"SparseVLM with recycling leaves at least {alive} of {num_visual} visual tokens "
                f"here, not {self.keep_tokens}. Ask for more, or for recycle=False."
            )
        return course

    def _planned(self, stage: Stage, num_visual: int) -> int:
        if self.keep_tokens is None:
            return super().count(stage, num_visual)
        final = check_count(self.keep_tokens, num_visual)
        ratios = self._ratios_to(final / num_visual, len(self.layers))
        return max(final, round(num_visual * ratios[stage.index]))

    def _ratios_to(self, final: float, stages: int) -> tuple[float, ...]:
        return _interpolated(final)[-stages:]


def _recycled(states: torch.Tensor, attention: torch.Tensor, keep: int) -> Merge:
    """The kept tokens and, after them, means of clusters of the best that were dropped."""
    order = torch.sort(attention, descending=True, stable=True).indices
    kept, dropped = order[:keep].sort().values, order[keep:]
    again = dropped[: _recyclable(len(dropped))].sort().values
    clusters = _clusters(len(again))
    centres, cluster = density_peaks(states[again], clusters)
    means = group_means(states[again], cluster, clusters).to(states.dtype)
    into = torch.full_like(order, -1)
    into[kept] = torch.arange(keep, device=into.device)
    into[again] = keep + cluster
    anchors = torch.cat([kept, again[centres]])
    return Merge(torch.cat([states[kept], means]), anchors, into, anchors)


def _recyclable(dropped: int) -> int:
    return int(_AGAIN * dropped) + 1


def _clusters(again: int) -> int:
    return again // 10 + 1


def _leaving_room(total: int, alive: int) -> int:
    """How many tokens are picked of those alive so that `total` are left with recycled ones.

    At least one, even if that leaves more.
    """
    fits = (k for k in range(total, 1, -1) if k + _clusters(_recyclable(alive - k)) <= total)
    return next(fits, 1)


def _interpolated(final: float) -> tuple[float, ...]:
    """Keep ratios of the three stages for a final one, between the published rows."""
    rows = [(0.0, 0.0, 0.0), *(tuple(n / _OF for n in row) for row in PUBLISHED), (1.0, 1.0, 1.0)]
    low, high = next(pair for pair in pairwise(rows) if final <= pair[1][-1])
    share = (final - low[-1]) / (high[-1] - low[-1])
    values = [a + share * (b - a) for a, b in zip(low, high, strict=True)]
    return (*(round(value, 12) for value in values[:-1]), final)
