"""ResPrune: greedy subspace reconstruction weighted by text relevance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import Scores, Stage, StageContext, check_number
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import pick_profile, text_relevance
from pruneviz.ops.residual import NORMALISATIONS


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
    title: ClassVar[str] = "ResPrune"
    summary: ClassVar[str] = (
        "Before the LLM, keeps the patches that together best rebuild all the others, favouring "
        "those near the words of the question."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2603.21105"
    default_ratio: ClassVar[float] = 128 / 576

    alpha: float = 0.5
    normalisation: str = "minmax"

    def __post_init__(self) -> None:
        """Check the switches."""
        super().__post_init__()
        check_number(self.alpha, "alpha")
        if self.normalisation not in NORMALISATIONS:
            raise ValueError(
                f"normalisation must be one of {', '.join(NORMALISATIONS)}, "
                f"not {self.normalisation!r}."
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
