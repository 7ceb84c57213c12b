"""LLaVA-PruMerge and PruMerge+: attended tokens take up those that are like them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import normalize

from pruneviz.methods.base import (
    BUDGET,
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
from pruneviz.ops import even_places, others, products, taken_at

_NEIGHBOURS = 32


@dataclass(frozen=True, kw_only=True)
class PruMerge(BeforeLLM):
    """Keep the patches that stand out in the encoder's attention, each with what is like it.

    Every kept token is added the sum of the 32 tokens whose keys are most like its own, weighted
    by their attention. One more token is the weighted sum of all that were not kept.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. Without ratio and count as many are kept as
        stand out: attention above the third quartile plus 1.5 interquartile ranges.

    Notes
    -----
    LLaVA-PruMerge (ICCV 2025, arXiv 2403.15388), as its published code: attention of CLS in the
    encoder's last layer with all heads taken as one, features of the last but one, weights not
    normalised, kept tokens in the order of their attention and the remainder last. Encoders
    without CLS give the attention averaged over all queries; where features before the
    projector are not at hand, tokens are merged after it (said in the result). Each of several
    images has its share of the budget. Where text lies between visual tokens, merged ones stand
    in their own places. A budget of one token keeps no remainder; one of all tokens leaves
    everything as it is.
    """

    name: ClassVar[str] = "prumerge"
    card: ClassVar[Card] = Card(
        title="PruMerge",
        summary=(
            "Before the LLM, keeps the patches that stand out in the vision encoder's attention "
            "and adds to each those most like it; the question plays no part."
        ),
        decides="outliers of the encoder's attention, each with what is like it",
        standing="by the rules of its code",
        paper="https://arxiv.org/abs/2403.15388",
        formula=Formula(
            (
                (r"a = softmax(\frac{q_{CLS} · k_i}{√d})", "in the encoder's last layer"),
                (r"S = \text{the } K - 1 \text{ largest } a", "kept"),
                (r"z_i = f_i + ∑_{j ∈ N(i)} a_j f_j", "what a kept patch becomes"),
                (r"z_{rest} = ∑_{j ∉ S} a_j f_j", "one token more"),
                (r"K = ⌊r N⌋", "tokens in all"),
            ),
            (
                ("q, k", "query and key with all heads as one; d is their length"),
                ("N(i)", "the 32 patches whose keys are most like that of i"),
                ("f", "the encoder's feature of a patch, before the projector"),
                BUDGET,
            ),
            "As in the published code: weights are not normalised. Without a budget (in Python) as "
            "many are kept as lie above the third quartile plus 1.5 interquartile ranges. In the "
            "picture a patch that went into several is shown with the one most like it.",
        ),
        terms={
            "encoder": "attention paid inside the vision encoder",
        },
        merges=True,
    )
    default_ratio: ClassVar[float] = 1 / 8

    @property
    def needs(self) -> Needs:
        """The encoder."""
        return Needs(encoder=True)

    @property
    def batched(self) -> bool:
        """On a budget; without, each picture's attention tells how many tokens go on."""
        return not self._free

    @property
    def _free(self) -> bool:
        return self.keep_ratio is None and self.keep_tokens is None

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention received, and the tokens that go on."""
        seen = context.encoded()
        attention = seen.final()[0]
        components = {"encoder": attention}
        if keep >= attention.shape[-1] and not self._free:
            return Scores(attention, components)
        parts = [(part, None) for part in seen.each()] if self._free else seen.shares(keep)
        merge = Merge.joined([self._merge(part, share) for part, share in parts])
        return Scores(attention, components, notes=seen.notes, merge=merge)

    def _merge(self, seen: Encoded, share: int | None) -> Merge:
        """One image's tokens; as many as stand out where there is no budget."""
        attention, keys = seen.final()
        if share is None:
            return _merge(seen, attention, keys, self._standing_out(attention), remainder=True)
        picked = self._picked(attention, max(1, share - 1))
        return _merge(seen, attention, keys, picked, remainder=share > 1)

    def _picked(self, attention: torch.Tensor, count: int) -> torch.Tensor:
        """Places of the kept tokens in the order in which they go on."""
        order = torch.sort(attention, dim=-1, descending=True, stable=True).indices
        return order[..., :count]

    def _standing_out(self, attention: torch.Tensor) -> torch.Tensor:
        # The one wait for the device: how many tokens go on is what it decides.
        return self._picked(attention, min(int(outliers(attention)), len(attention) - 1))


@dataclass(frozen=True, kw_only=True)
class PruMergePlus(PruMerge):
    """PruMerge with evenly spread patches beside those that stand out.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`PruMerge`. Without a budget every n-th patch comes to those that stand out, n
        a third of the inverse of their share, as in the published code. Of a budget a quarter
        goes to the patches that stand out.

    Notes
    -----
    PruMerge+ of the same paper. With that stride the number varies; on a budget the other
    patches are spread evenly, so that it is met exactly, which is ours.
    """

    name: ClassVar[str] = "prumerge+"
    card: ClassVar[Card] = Card(
        title="PruMerge+",
        summary=(
            "PruMerge with evenly spread patches beside those that stand out; the question plays "
            "no part."
        ),
        decides=(
            "outliers of the encoder's attention and evenly spread patches, each with what is like "
            "it"
        ),
        standing="by the rules of its code",
        paper="https://arxiv.org/abs/2403.15388",
        formula=Formula(
            (
                (r"S = A ∪ B", "kept"),
                (r"A = \text{the } \frac{K - 1}{4} \text{ largest } a", "what stands out"),
                (r"B = \text{evenly spread over the others}", "the rest of K − 1"),
                (r"z_i = f_i + ∑_{j ∈ N(i)} a_j f_j", "what a kept patch becomes"),
                (r"z_{rest} = ∑_{j ∉ S} a_j f_j", "one token more"),
                (r"K = ⌊r N⌋", "tokens in all"),
            ),
            (
                ("a", "attention of CLS in the encoder's last layer, all heads as one"),
                ("N(i)", "the 32 patches whose keys are most like that of i"),
                ("f", "the encoder's feature of a patch, before the projector"),
                BUDGET,
            ),
            "The published code spreads by a stride that follows from the share of outliers; "
            "here the budget is met exactly.",
        ),
        terms={
            "encoder": "attention paid inside the vision encoder",
        },
        merges=True,
    )

    def _picked(self, attention: torch.Tensor, count: int) -> torch.Tensor:
        best = super()._picked(attention, max(1, round(count / 4)))
        places = others(best, attention.shape[-1])
        spread = even_places(places.shape[-1], count - best.shape[-1], places.device)
        return torch.cat([best, places.index_select(-1, spread)], -1)

    def _standing_out(self, attention: torch.Tensor) -> torch.Tensor:
        total = len(attention)
        order = super()._picked(attention, total)
        number = outliers(attention).clamp_max(total - 1)
        stride = (total // number // 3).clamp_min(1)
        place = torch.arange(total, device=order.device)
        rank = torch.empty_like(order).index_copy_(0, order, place)
        best = rank < number
        # The published code never takes the last patch, either.
        every = (place % stride == 0) & (place < total - 1) & ~best
        turn = torch.where(best, rank, torch.where(every, total + place, 2 * total))
        # The one wait for the device, as in PruMerge.
        count = min(int((best | every).sum()), total - 1)
        return torch.sort(turn, stable=True).indices[:count]


def outliers(attention: torch.Tensor) -> torch.Tensor:
    """How many values lie above the third quartile plus 1.5 interquartile ranges; at least 1.

    Int64 ``[]``.
    """
    low, high = attention.quantile(0.25), attention.quantile(0.75)
    return (attention > high + 1.5 * (high - low)).sum().clamp_min(1)


def _merge(
    seen: Encoded,
    attention: torch.Tensor,
    keys: torch.Tensor,
    picked: torch.Tensor,
    remainder: bool,
) -> Merge:
    """Add to each picked token those most like it, and sum up the rest."""
    unit = normalize(keys.float(), dim=-1)
    alike = products(taken_at(unit, picked), unit)
    alike.scatter_(-1, picked[..., None], -torch.inf)
    near = alike.topk(min(_NEIGHBOURS, attention.shape[-1] - 1), dim=-1).indices
    features, own = seen.features.float(), near.flatten(-2)
    # Weights are mostly 0, but all neighbours' features side by side would be many times more.
    weights = torch.zeros_like(alike).scatter(-1, near, attention.gather(-1, own).view(near.shape))
    states = taken_at(features, picked) + products(weights, features.mT)
    # In the picture a token belongs to the one that it is most like, whoever else took it up.
    taken = torch.zeros_like(attention, dtype=torch.bool).scatter(-1, own, True)
    reached = torch.full_like(alike, -torch.inf).scatter(-1, near, alike.gather(-1, near))
    count = picked.shape[-1]
    into = torch.where(taken, reached.argmax(-2), -1)
    into.scatter_(-1, picked, torch.arange(count, device=into.device).expand_as(picked))
    anchors = picked
    if remainder:
        places = others(picked, attention.shape[-1])
        weighted = taken_at(features, places) * attention.gather(-1, places)[..., None]
        states = torch.cat([states, weighted.sum(-2, keepdim=True)], -2)
        lost = into < 0
        into = torch.where(lost, count, into)
        # It stands where the most of it comes from, among all that are left if none is lost.
        left = torch.zeros_like(lost).scatter(-1, places, True)
        source = torch.where(lost.any(-1, keepdim=True), lost, left)
        home = torch.where(source, attention, -torch.inf).argmax(-1, keepdim=True)
        anchors = torch.cat([picked, home], -1)
        into.scatter_(-1, home, count)
    return Merge(seen.project(states.to(seen.features.dtype)), anchors, into, anchors)
