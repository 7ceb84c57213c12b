"""SCOPE: tokens that cover the picture, those that the encoder looks at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import normalize

from pruneviz.methods.base import (
    BUDGET,
    HEADS,
    BeforeLLM,
    Card,
    Formula,
    Needs,
    Scores,
    Stage,
    StageContext,
    check_number,
)
from pruneviz.ops import coverage_profile, products


@dataclass(frozen=True, kw_only=True)
class SCOPE(BeforeLLM):
    """Keep patches to which many others are alike, weighted by the encoder's attention.

    Parameters
    ----------
    alpha : float
        Power of the attention, at least 0; published: 1. 0 covers the picture alone.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    SCOPE (NeurIPS 2025, arXiv 2510.24214), as its published code: cosine similarities of features
    before the projector, each patch's own included, coverage from 0 on, gain times CLS attention
    of the layer that the features come from. Without CLS the attention is averaged over all
    queries; where features before the projector are not at hand, those after it are compared
    (said in the result). The published code divides the budget by the number of images in a
    batch; here each prompt has its own, shared out over its images. The code's other combination,
    a sum of both, is not offered. Scores are weighted gains: of a kept patch when it was picked,
    of another what it could still gain.
    """

    name: ClassVar[str] = "scope"
    card: ClassVar[Card] = Card(
        title="SCOPE",
        summary=(
            "Before the LLM, keeps patches that stand for many others and that the vision encoder "
            "attends to; the question plays no part."
        ),
        decides="what a token covers of the picture, times the encoder's attention",
        standing="equal to its code on 2 reference runs",
        paper="https://arxiv.org/abs/2510.24214",
        formula=Formula(
            (
                (r"S_{i, j} = cos(f_i, f_j)", "similarity"),
                (r"g_j = ∑_i max(0, S_{i, j} - c_i)", "what j would add"),
                (r"next = argmax_{j ∉ K} g_j a_j^α", "kept, until there are K"),
                (r"c_i ← max(c_i, S_{i, next})", "coverage, 0 at first"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                ("f", "the encoder's feature of a patch, before the projector"),
                ("a", "attention of the encoder's CLS token; without one, averaged over all"),
                HEADS,
                ("α", "power of the attention: 1, as published"),
                BUDGET,
            ),
            "As in the published code, which sums attention over heads where we average: the order "
            "of the picks is the same. Each of several images has its share of the budget.",
        ),
        terms={
            "coverage": "what the patch adds to what the kept ones cover",
            "encoder": "attention paid inside the vision encoder",
        },
    )

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Check the power."""
        super().__post_init__()
        check_number(self.alpha, "alpha")

    @property
    def needs(self) -> Needs:
        """The encoder."""
        return Needs(encoder=True)

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms."""
        return f"Score = coverage, times encoder to the power of {self.alpha:g}."

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Weighted gains, and the greedy picks."""
        seen = context.encoded()
        totals, covers, kept, start = [], [], [], 0
        for part, share in seen.shares(keep):
            unit = normalize(part.features.float(), dim=-1)
            weight = part.attention.float() ** self.alpha
            found = coverage_profile(products(unit, unit), share, weight)
            totals.append(found.scores())
            covers.append(totals[-1] / weight.clamp_min(torch.finfo(torch.float32).tiny))
            kept.append(start + found.order)
            start += weight.shape[-1]
        total, places = torch.cat(totals, -1), torch.cat(kept, -1).sort(-1).values
        components = {"coverage": torch.cat(covers, -1), "encoder": seen.attention}
        return Scores(total, components, places, seen.notes)
