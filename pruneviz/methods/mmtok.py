"""MMTok: tokens that cover both the question's words and the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch.nn.functional import normalize

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Host,
    Needs,
    Range,
    Scores,
    Stage,
    StageContext,
    check_number,
)
from pruneviz.ops import coverage_profile, products

ELSEWHERE, ON_QWEN = 0.02, 0.01
"""Published temperatures of words."""

COLDEST = 1e-6
"""Below it, closeness over temperature may leave float32."""


@dataclass(frozen=True, kw_only=True)
class MMTok(BeforeLLM):
    """Keep patches by what they cover of the question and of the other patches.

    Parameters
    ----------
    alpha : float
        Weight of the picture against the question, at least 0; published: 0.5.
    text_temperature : float, optional
        Of the words' softmax over patches, above 0. Default, as published: 0.01 on Qwen, 0.02 on
        all others.
    vision_temperature : float
        Likewise of the patches; published: 0.2.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    MMTok (ICLR 2026, arXiv 2508.18264), as its published code: words as the LLM embeds them, and
    patches as they enter the LLM, for the one cover, the encoder's features for the other, both
    softmaxed over patches and divided by their number of rows. The words are the question's
    content words, found by this library's own list, which is not the published one; where the
    tokenizer is not known all text after the image counts. Padding of a square is not left out.
    Where features before the projector are not at hand, those after it are compared (said in the
    result). Each of several images is covered by itself, with its share of the budget.
    """

    name: ClassVar[str] = "mmtok"
    card: ClassVar[Card] = Card(
        title="MMTok",
        summary=(
            "Before the LLM, keeps the patches that together cover the words of the question and "
            "the picture."
        ),
        decides="what a token covers of the question's words and of the picture",
        standing="equal to its code on 3 reference runs, given the words, which are ours",
        paper="https://arxiv.org/abs/2508.18264",
        formula=Formula(
            (
                (r"P_{t, j} = \frac{1}{T} softmax_j(cos(e_t, v_j) / τ_t)", "words"),
                (r"Q_{i, j} = \frac{1}{N} softmax_j(cos(f_i, f_j) / τ_v)", "patches"),
                (r"g_j = ∑_r max(0, M_{r, j} - b_r)", "with M the rows of P and of α Q"),
                (r"next = argmax_{j ∉ K} g_j", "kept, until there are K"),
                (r"b_r ← max(b_r, M_{r, next})", "coverage, 0 at first"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                ("e_t, T", "embeddings of the question's content words, and their number"),
                ("v_j", "patch j as it enters the LLM"),
                ("f_i", "the encoder's feature of patch i, before the projector"),
                ("τ_t", f"temperature of the words: {ELSEWHERE:g}, {ON_QWEN:g} on Qwen"),
                ("τ_v", "temperature of the patches: 0.2"),
                ("α", "weight of the picture: 0.5, as published"),
                BUDGET,
            ),
            "As in the published code but for its list of words that do not count.",
        ),
        terms={"coverage": "what the patch adds to what the kept ones cover"},
        options=(Range("alpha", "Weight of the picture; 0 covers the question alone.", 0, 4, 0.1),),
        nested=True,
    )

    alpha: float = 0.5
    text_temperature: float | None = None
    vision_temperature: float = 0.2

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_number(self.alpha, "alpha")
        for what in ("text_temperature", "vision_temperature"):
            value = getattr(self, what)
            if value is not None:
                check_number(value, what)
            if value is not None and value < COLDEST:
                raise ValueError(f"{what} must be at least {COLDEST:g}, not {value!r}.")

    def on(self, host: Host) -> Self:
        """The words' temperature as published for the family, unless it is set."""
        if self.text_temperature is not None:
            return self
        return replace(self, text_temperature=ON_QWEN if host.kin == "qwen" else ELSEWHERE)

    @property
    def needs(self) -> Needs:
        """The encoder's features."""
        return Needs(encoder=True)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Gains, and the greedy picks."""
        seen, states = context.encoded(), context.visual_features()
        text = context.text_features()
        totals, picks, start = [], [], 0
        for part, share in seen.shares(keep):
            own = states[..., start : start + part.attention.shape[-1], :]
            matrix = self._matrix(text.features, own, part.features, text.real)
            found = coverage_profile(matrix, share)
            totals.append(found.scores())
            picks.append(start + found.order)
            start += own.shape[-2]
        total = torch.cat(totals, -1)
        kept = torch.cat(picks, -1).sort(-1).values
        return Scores(total, {"coverage": total}, kept, seen.notes, text.sources)

    def _matrix(
        self,
        text: torch.Tensor,
        states: torch.Tensor,
        features: torch.Tensor,
        real: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Rows to cover: words, then patches, float32 ``[..., t + n, n]``.

        Words that are not `real` ``[..., t]`` are rows of zeros, which cannot be covered.
        """
        words, patches, own = (_unit(rows) for rows in (text, states, features))
        closeness = products(words, patches) / (self.text_temperature or ELSEWHERE)
        said = closeness.softmax(-1)
        if real is None:
            said = said / max(1, words.shape[-2])
        else:
            said = said * (real / real.sum(-1, keepdim=True).clamp_min(1))[..., None]
        shown = (products(own, own) / self.vision_temperature).softmax(-1) / own.shape[-2]
        return torch.cat([said, self.alpha * shown], -2)


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return normalize(rows.float(), dim=-1, eps=1e-8)
