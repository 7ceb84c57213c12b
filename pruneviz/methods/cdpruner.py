"""CDPruner: diverse tokens, those near the question first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import normalize

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import dpp_profile, pick_scores, text_relevance


@dataclass(frozen=True, kw_only=True)
class CDPruner(BeforeLLM):
    """Keep a diverse set conditioned on the question.

    Greedy maximum of a determinantal point process with the kernel
    ``relevance_i * cos_ij * relevance_j`` over tokens in the LLM's input space.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    CDPruner (NeurIPS 2025, arXiv 2506.10967). Its relevance comes from the text tower of the
    CLIP model that the encoder was taken from, which a LLaVA checkpoint does not hold. Here it
    is the largest cosine with a content word of the question in the LLM's input space, scaled
    to [0, 1], and the result says so. With a relevance of your own,
    :func:`pruneviz.ops.conditional_dpp` selects as the published code does. The score of a
    picked token is its gain when it was picked, of another what it could still gain.
    """

    name: ClassVar[str] = "cdpruner"
    card: ClassVar[Card] = Card(
        title="CDPruner",
        summary=(
            "Before the LLM, keeps patches that differ from each other and lie near the words of "
            "the question."
        ),
        decides="diversity, weighted by text relevance",
        standing="equal to its code on 1 reference run, given the relevance, which is ours",
        paper="https://arxiv.org/abs/2506.10967",
        formula=Formula(
            (
                (r"L_{i, j} = ρ_i cos(v_i, v_j) ρ_j", "kernel"),
                (r"next = argmax_{i ∉ S} ρ_i^2 ‖u_i - P_S u_i‖^2", "added to S until K are picked"),
                (r"u_i = \frac{v_i}{‖v_i‖}", "direction of a patch"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                ("ρ", "relevance to the question from 0 to 1: largest cosine with a content word"),
                ("v_i", "patch i as it enters the LLM"),
                ("S", "the patches picked so far; empty at first"),
                ("P_S", "projection onto the space that they span"),
                BUDGET,
            ),
            "The second line is the greedy maximum of the kernel's determinant, as in the "
            "published code. There, relevance comes from the text tower of the encoder's CLIP "
            "model, which these models do not hold: ours is taken in the LLM's input space. We "
            "do not know the equations' numbers. OpenVINO GenAI prunes by this method too, picking "
            "in two halves unless told otherwise; ours never splits and picks the same given the "
            "same relevance.",
        ),
        terms={
            "relevance": "closeness to the words of the question",
            "novelty": "share of the patch that the kept patches do not explain",
        },
        nested=True,
    )
    default_ratio: ClassVar[float] = 64 / 576

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms."""
        return (
            "Score = relevance squared, times novelty: of a kept patch when it was picked, of a "
            "dropped one when picking ended."
        )

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Gains under the conditioned kernel."""
        features = context.visual_features()
        text = context.text_features()
        relevance = text_relevance(features, text.features, "minmax", text.real)
        order, gain, residual = dpp_profile(features, relevance, keep)
        unit = normalize(features.float(), dim=-1)
        total = pick_scores(unit, relevance.square(), order, gain, residual)
        components = {"relevance": relevance, "novelty": residual.float()}
        notes = ("Relevance in the LLM's input space, not by CLIP's text tower.",)
        return Scores(total, components, order.sort(-1).values, notes, text.sources)
