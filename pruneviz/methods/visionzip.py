"""VisionZip: what the encoder looks at, and a few summaries of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    HEADS,
    BeforeLLM,
    Card,
    Encoded,
    Formula,
    Merge,
    Needs,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import (
    contextual_tokens,
    others,
    places_in,
    split_budget,
    taken_at,
    top_indices,
)

# 10 of 64 tokens; 20 of 128 and 30 of 192 are the same share.
_CONTEXTUAL = 10 / 64


@dataclass(frozen=True, kw_only=True)
class VisionZip(BeforeLLM):
    """Keep the tokens that the encoder's CLS token attends to; merge the others into a few.

    Dominant tokens, CLS itself among them, stay as they are. Of the others evenly spread ones
    are targets: each takes up the mean of those whose keys are most like its own.

    Parameters
    ----------
    contextual_tokens : int, optional
        How many of the budget are merged ones. Default: 10 of 64, as published.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. The budget counts CLS and merged tokens.

    Notes
    -----
    VisionZip (CVPR 2025, arXiv 2412.04467), as its published code: attention and keys of the
    encoder's last layer but one, merging before the projector, merged tokens after the others.
    An encoder without CLS gives the attention averaged over all queries, and no token for CLS.
    Where features before the projector are not at hand (LLaVA-NeXT's crops, Qwen's merger),
    tokens are compared and merged after it, which is ours and is said in the result. Each of
    several images has its share of the budget. Merged tokens stand after the others of their
    image, but in their own places where text lies between visual tokens. A budget of all tokens
    leaves everything as it is.
    """

    name: ClassVar[str] = "visionzip"
    card: ClassVar[Card] = Card(
        title="VisionZip",
        summary=(
            "Before the LLM, keeps the patches that the vision encoder attends to and merges the "
            "others into a few tokens; the question plays no part."
        ),
        decides="the vision encoder's attention; the others merge into a few contextual tokens",
        standing="equal to its code on 1 reference run",
        paper="https://arxiv.org/abs/2412.04467",
        formula=Formula(
            (
                (r"score_i = \frac{1}{H} ∑_h a_{h, CLS, i}", "in the encoder's last layer but one"),
                (r"D = \text{CLS and the } K - C - 1 \text{ largest scores}", "dominant, kept"),
                (r"g(i) = argmax_{t ∈ T} cos(k_i, k_t)", "where each of the others goes"),
                (r"z_t = f_t + mean_{g(i) = t, i ≠ t} f_i", "contextual, C of them"),
                (r"K = ⌊r N⌋, C = round(\frac{10}{64} K)", "tokens in all"),
            ),
            (
                (
                    "a",
                    "attention of the encoder's CLS token; without one, averaged over all patches",
                ),
                HEADS,
                ("T", "C of the patches that are not dominant, evenly spread"),
                ("k", "key of a patch in that layer, mean over heads"),
                ("f", "the encoder's feature of a patch, before the projector"),
                BUDGET,
            ),
            "As in the published code, which counts CLS among the dominant tokens and puts "
            "contextual ones last. Splits of other budgets than 64, 128 and 192 follow theirs. "
            "For LLaVA-NeXT and Qwen, tokens are merged after the projector, which is ours. We "
            "do not know the equations' numbers.",
        ),
        terms={
            "encoder": "attention paid inside the vision encoder",
        },
        merges=True,
    )
    default_ratio: ClassVar[float] = 64 / 576

    contextual_tokens: int | None = None

    def __post_init__(self) -> None:
        """Check the number of merged tokens."""
        super().__post_init__()
        number = self.contextual_tokens
        if number is not None and (isinstance(number, bool) or int(number) != number or number < 0):
            raise ValueError(
                f"contextual_tokens must be a whole number of at least 0, not {number!r}."
            )

    @property
    def needs(self) -> Needs:
        """The encoder."""
        return Needs(encoder=True)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention received, and the tokens that go on."""
        seen = context.encoded()
        components = {"encoder": seen.attention}
        if keep >= seen.attention.shape[-1]:
            return Scores(seen.attention, components)
        shares = seen.shares(keep)
        wanted = (
            [None] * len(shares)
            if self.contextual_tokens is None
            else split_budget(
                self.contextual_tokens,
                [part.attention.shape[-1] for part, _ in shares],
                least=0,
            )
        )
        merge = Merge.joined(
            [self._merge(*own, few) for own, few in zip(shares, wanted, strict=True)]
        )
        return Scores(seen.attention, components, notes=seen.notes, merge=merge)

    def _merge(self, seen: Encoded, keep: int, wanted: int | None) -> Merge:
        leading = seen.leading[..., : keep - 1, :]
        first, total = leading.shape[-2], seen.attention.shape[-1]
        merged = self._merged(keep, first, wanted)
        dominant = top_indices(seen.attention, keep - first - merged)
        places = others(dominant, total)
        parts = [leading.float(), taken_at(seen.features, dominant).float()]
        anchors = [places.new_full((*places.shape[:-1], first), -1), dominant]
        into = first + places_in(dominant, total)
        if merged:
            states, targets, went = contextual_tokens(
                taken_at(seen.keys, places), taken_at(seen.features, places), merged
            )
            parts.append(states)
            anchors.append(places.index_select(-1, targets))
            into.scatter_(-1, places, first + dominant.shape[-1] + went)
        else:
            into.scatter_(-1, places, -1)
        states = torch.cat(parts, -2).to(seen.features.dtype)
        return Merge(seen.project(states), torch.cat(anchors, -1), into)

    def _merged(self, keep: int, leading: int, wanted: int | None) -> int:
        """How many of the budget are merged tokens; at least one patch is kept as it is."""
        if wanted is None:
            return min(round(keep * _CONTEXTUAL), keep - leading - 1)
        if wanted > keep - leading - 1:
            raise ValueError(
                f"VisionZip: {wanted} contextual tokens leave no room in a budget of {keep} for a "
                f"dominant patch{' beside the CLS token' if leading else ''}. Ask for fewer."
            )
        return wanted
