"""VisionZip: what the encoder looks at, and a few summaries of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import Encoded, Merge, Scores, Stage, StageContext
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import contextual_tokens, split_budget, top_indices

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
    title: ClassVar[str] = "VisionZip"
    summary: ClassVar[str] = (
        "Before the LLM, keeps the patches that the vision encoder attends to and merges the "
        "others into a few tokens; the question plays no part."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2412.04467"
    needs_vision: ClassVar[bool] = True
    merges: ClassVar[bool] = True
    exact_prefix: ClassVar[bool] = False
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

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention received, and the tokens that go on."""
        seen = context.encoded()
        components = {"encoder": seen.attention}
        if keep >= len(seen.attention):
            return Scores(seen.attention, components)
        shares = seen.shares(keep)
        wanted = (
            [None] * len(shares)
            if self.contextual_tokens is None
            else split_budget(
                self.contextual_tokens, [len(part.attention) for part, _ in shares], least=0
            )
        )
        merge = Merge.joined(
            [self._merge(*own, few) for own, few in zip(shares, wanted, strict=True)]
        )
        return Scores(seen.attention, components, notes=seen.notes, merge=merge)

    def _merge(self, seen: Encoded, keep: int, wanted: int | None) -> Merge:
        leading = seen.leading[: keep - 1]
        merged = self._merged(keep, len(leading), wanted)
        dominant = top_indices(seen.attention, keep - len(leading) - merged)
        rest = torch.ones_like(seen.attention, dtype=torch.bool).index_fill(0, dominant, False)
        places = rest.nonzero().squeeze(-1)
        parts, anchors = [leading.float(), seen.features[dominant].float()], [dominant]
        into = torch.full_like(places.new_empty(len(rest)), -1)
        into[dominant] = len(leading) + torch.arange(len(dominant), device=into.device)
        if merged:
            states, targets, went = contextual_tokens(
                seen.keys[places], seen.features[places], merged
            )
            parts.append(states)
            anchors.append(places[targets])
            into[places] = len(leading) + len(dominant) + went
        states = torch.cat(parts).to(seen.features.dtype)
        nowhere = into.new_full((len(leading),), -1)
        return Merge(seen.project(states), torch.cat([nowhere, *anchors]), into)

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
