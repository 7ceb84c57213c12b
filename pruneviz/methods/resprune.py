"""ResPrune: greedy subspace reconstruction weighted by text relevance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Choice,
    Formula,
    Host,
    Needs,
    Range,
    Scores,
    Stage,
    StageContext,
    check_choice,
    check_number,
)
from pruneviz.ops import pick_profile, pick_scores, text_relevance
from pruneviz.ops.residual import NORMALISATIONS

ALPHAS = {"llava": 0.75, "qwen": 0.3}
"""As second-hand sources report."""
ALPHA = 0.5
"""On other families; ours."""
SEEDS = ("energy", "norm", "cls")


def _listed() -> str:
    """Alpha by family, for people."""
    return f"{ALPHAS['llava']:g} on LLaVA, {ALPHAS['qwen']:g} on Qwen, {ALPHA:g} elsewhere"


@dataclass(frozen=True, kw_only=True)
class ResPrune(BeforeLLM):
    """Keep the tokens whose span rebuilds all others, those near the question first.

    Picks greedily the largest ``relevance ** alpha * residual``, where residual is the squared
    distance of a token from the span of those already picked, in the LLM's input space.

    Parameters
    ----------
    alpha : float, optional
        Strength of the text guidance, at least 0; 0 = pure geometry. Default: what second-hand
        sources report of the paper, 0.75 on the LLaVA family and 0.3 on Qwen; on others 0.5, which
        is ours. The trace tells which it was.
    seed : {"energy", "norm", "cls"}
        The first pick, always kept: the largest weighted energy, as all later ones (our reading,
        for the paper's text is not public); the longest token; or the one that the encoder's CLS
        token attends to most, the longest where there is no CLS. Second-hand sources speak of a
        seed derived from CLS, and of the longest token without one.
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
    it could still gain: the kept tokens have the largest scores, beyond the features' rank too,
    where nothing is left to gain and tokens go by relevance and length. Several images are picked
    from together.

    What is known from where: Eq. 13, the residual and the greedy choice from the abstract and
    excerpts; alpha by family, nouns found by light tagging and cleaned by regular expressions, the
    seed and the orthogonalisation after each pick from second-hand sources.
    """

    name: ClassVar[str] = "resprune"
    card: ClassVar[Card] = Card(
        title="ResPrune",
        summary=(
            "Before the LLM, keeps the patches that together best rebuild all the others, "
            "favouring those near the words of the question."
        ),
        decides="residual energy outside the span of the kept tokens, weighted by text relevance",
        standing="from its formulas, no code is published; alpha and seed second-hand",
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
                ("α", f"strength of the question: {_listed()}; 0 ignores it"),
                BUDGET,
            ),
            "No code is published. Alpha by family and a first pick of its own (seed) are known "
            "from second-hand sources alone; how cosines become non-negative is our choice, and so "
            "are content words by a stop list in place of nouns. We know the number of this one "
            "equation only. When nothing is left to rebuild, the rest is picked by relevance and "
            "length.",
        ),
        terms={
            "relevance": "closeness to the words of the question",
            "energy": "squared length of the patch's vector before anything was picked",
            "residual": "energy left outside the span of the kept patches",
        },
        options=(
            Range(
                "alpha",
                "Strength of the question; 0 looks at the picture alone. Empty: 0.75 on LLaVA "
                "models, 0.3 on Qwen.",
                0,
                4,
                0.05,
            ),
            Choice("seed", "The first pick: by weighted energy, length, or CLS attention.", SEEDS),
        ),
        nested=True,
        compared=True,
        place=2,
    )
    default_ratio: ClassVar[float] = 128 / 576

    alpha: float | None = None
    normalisation: str = "minmax"
    seed: str = "energy"

    def __post_init__(self) -> None:
        """Check the switches."""
        super().__post_init__()
        if self.alpha is not None:
            check_number(self.alpha, "alpha")
        check_choice(self.seed, "seed", SEEDS)
        check_choice(self.normalisation, "normalisation", NORMALISATIONS)

    def on(self, host: Host) -> Self:
        """Alpha as reported for the family, unless it is set."""
        return replace(self, alpha=ALPHAS.get(host.kin, ALPHA)) if self.alpha is None else self

    @property
    def needs(self) -> Needs:
        """The encoder, where its CLS token chooses the first pick."""
        return Needs(encoder=self.seed == "cls")

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms."""
        power = "alpha" if self.alpha is None else f"{self.alpha:g}"
        return (
            f"Score = relevance to the power of {power}, times residual: of a kept patch "
            "when it was picked, of a dropped one when picking ended."
        )

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Weighted residual energies and the greedy picks."""
        features = context.visual_features()
        text = context.text_features()
        relevance = text_relevance(features, text.features, self.normalisation, text.real)
        weight = relevance ** (ALPHA if self.alpha is None else self.alpha)
        seed, notes = self._seed(context, features)
        order, gain, residual = pick_profile(features, weight, keep, seed)
        total = pick_scores(features, weight, order, gain, residual)
        components = {
            "relevance": relevance,
            "energy": features.float().square().sum(-1),
            "residual": residual.float(),
        }
        return Scores(total, components, order.sort(-1).values, notes, text.sources)

    def _seed(
        self, context: StageContext, features: torch.Tensor
    ) -> tuple[torch.Tensor | None, tuple[str, ...]]:
        """The first pick, int64 ``[...]``, and what stands in for a missing CLS token."""
        if self.seed == "energy":
            return None, ()
        longest = features.float().norm(dim=-1).argmax(-1)
        if self.seed == "norm":
            return longest, ()
        seen = context.encoded()
        if not seen.leading.shape[-2]:
            return longest, ("No CLS token is at hand: the longest token is the first pick.",)
        return seen.attention.argmax(-1), ()
