"""ResPrune: greedy subspace reconstruction weighted by text relevance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Range,
    Scores,
    Stage,
    StageContext,
    check_choice,
    check_number,
)
from pruneviz.ops import pick_profile, text_relevance
from pruneviz.ops.residual import NORMALISATIONS

ALPHA = 0.5
"""Not public; ours."""


@dataclass(frozen=True, kw_only=True)
class ResPrune(BeforeLLM):
    """Keep the tokens whose span rebuilds all others, those near the question first.

    Picks greedily the largest ``relevance ** alpha * residual``, where residual is the squared
    distance of a token from the span of those already picked, in the LLM's input space.

    Parameters
    ----------
    alpha : float
        Strength of the text guidance, at least 0; 0 = pure geometry. The paper's value is not
        public; 0.5 is our choice.
    normalisation : {"minmax", "shift", "relu"}
        How cosines become non-negative relevance; see :func:`pruneviz.ops.text_relevance`.
        Not public either; min-max is our choice.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    ResPrune (arXiv 2603.21105). Relevance is the largest cosine between the token and any
    content word of the question (its Eq. 13): words of letters or digits that are not in a
    list of function and instruction words, a stand-in for nouns (`pruneviz.models.core.words`).
    Where the tokenizer is not known every text token after the image counts; without any, the
    relevance is 1. The score of a picked token is its gain when it was picked, of another what
    it could still gain: the kept tokens have the largest scores.
    """

    name: ClassVar[str] = "resprune"
    card: ClassVar[Card] = Card(
        title="ResPrune",
        summary=(
            "Before the LLM, keeps the patches that together best rebuild all the others, "
            "favouring those near the words of the question."
        ),
        decides="residual energy outside the span of the kept tokens, weighted by text relevance",
        paper="https://arxiv.org/abs/2603.21105",
        formula=Formula(
            (
                (r"c_i = max_j cos(v_i, t_j)", "Eq. 13"),
                (r"E_i = ‖v_i - P_S v_i‖^2", "residual energy"),
                (r"next = argmax_{i ∉ S} ρ_i^α E_i", "added to S until K are picked"),
                (r"ρ_i = \frac{c_i - min(c)}{max(c) - min(c)}", "our choice"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                ("v_i", "patch i as it enters the LLM"),
                ("t_j", "embedding of the j-th content word of the question"),
                ("S", "the patches picked so far; empty at first"),
                ("P_S", "projection onto the space that they span"),
                ("ρ", "relevance to the question from 0 to 1; 1 for all where there is no word"),
                ("α", f"strength of the question: {ALPHA:g} unless set; 0 ignores it"),
                BUDGET,
            ),
            "No code is published and the paper leaves open what alpha is and how cosines become "
            "non-negative: both are our choice, and so are content words by a stop list in place "
            "of nouns. We know the number of this one equation only. When nothing is left to "
            "rebuild, the rest is picked by relevance and length.",
        ),
        terms={
            "relevance": "closeness to the words of the question",
            "energy": "squared length of the patch's vector before anything was picked",
            "residual": "energy left outside the span of the kept patches",
        },
        options=(
            Range("alpha", "Strength of the question; 0 looks at the picture alone.", 0, 4, 0.1),
        ),
        nested=True,
        compared=True,
        place=2,
    )
    default_ratio: ClassVar[float] = 128 / 576

    alpha: float = ALPHA
    normalisation: str = "minmax"

    def __post_init__(self) -> None:
        """Check the switches."""
        super().__post_init__()
        check_number(self.alpha, "alpha")
        check_choice(self.normalisation, "normalisation", NORMALISATIONS)

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms."""
        return (
            f"Score = relevance to the power of {self.alpha:g}, times residual: of a kept patch "
            "when it was picked, of a dropped one when picking ended."
        )

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Weighted residual energies and the greedy picks."""
        features = context.visual_features()
        text, source = context.text_features()
        relevance = text_relevance(features, text, self.normalisation)
        weight = relevance**self.alpha
        order, gain, residual = pick_profile(features, weight, keep)
        total = (weight * residual).float().index_copy(0, order, gain.float())
        components = {
            "relevance": relevance,
            "energy": features.float().square().sum(-1),
            "residual": residual.float(),
        }
        return Scores(total, components, order.sort().values, (source,))
