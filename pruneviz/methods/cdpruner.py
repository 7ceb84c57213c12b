"""CDPruner: diverse tokens, those near the question first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import Scores, Stage, StageContext
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import dpp_profile, text_relevance


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
    title: ClassVar[str] = "CDPruner"
    summary: ClassVar[str] = (
        "Before the LLM, keeps patches that differ from each other and lie near the words of the "
        "question."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2506.10967"
    default_ratio: ClassVar[float] = 64 / 576

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Gains under the conditioned kernel."""
        features = context.visual_features()
        text, source = context.text_features()
        relevance = text_relevance(features, text, "minmax")
        order, gain, residual = dpp_profile(features, relevance, keep)
        could = relevance.to(residual.dtype).square() * residual
        total = could.float().index_copy(0, order, gain.float())
        components = {"relevance": relevance, "novelty": residual.float()}
        notes = (source, "Relevance in the LLM's input space, not by CLIP's text tower.")
        return Scores(total, components, order.sort().values, notes)
