"""VisPruner: what the encoder looks at, and from the rest what is not said twice."""

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
    Encoded,
    Formula,
    Needs,
    Scores,
    Stage,
    StageContext,
    check_number,
)
from pruneviz.ops import products, taken_at

_ROUND = 8


@dataclass(frozen=True, kw_only=True)
class VisPruner(BeforeLLM):
    """Keep important patches by the encoder's attention, and diverse ones of the others.

    The others, in the order of their attention, are thinned out: every second one is compared
    with those between, and the most duplicated few go, until enough are gone.

    Parameters
    ----------
    important_ratio : float
        Share of the budget that goes to the important ones; published: 0.5.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    VisPruner (ICCV 2025, arXiv 2412.01818), as its published code: CLS attention of the last
    layer but one, cosine similarity of features before the projector, up to 8 of the most
    duplicated gone in a round. Without CLS the attention is averaged over all queries; where
    features before the projector are not at hand, those after it are compared (said in the
    result). Each of several images has its share of the budget. Scores are the attention.
    """

    name: ClassVar[str] = "vispruner"
    card: ClassVar[Card] = Card(
        title="VisPruner",
        summary=(
            "Before the LLM, keeps patches that the vision encoder attends to and others that "
            "differ from each other; the question plays no part."
        ),
        decides="the encoder's attention, then what differs",
        standing="by the rules of its code",
        paper="https://arxiv.org/abs/2412.01818",
        formula=Formula(
            (
                (r"score_i = \frac{1}{H} ∑_h a_{h, CLS, i}", "in the encoder's last layer but one"),
                (r"I = \text{the } ⌊β K⌋ \text{ largest scores}", "important, kept"),
                (r"d_i = max_{j ∈ B} cos(f_i, f_j), i ∈ A", "of the others, in turns"),
                (r"drop = \text{the } 8 \text{ largest } d", "until K − |I| are left"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                HEADS,
                ("A, B", "every second of the others by falling score, and those between"),
                ("f", "the encoder's feature of a patch, before the projector"),
                ("β", "share of important patches: 0.5, as published"),
                BUDGET,
            ),
            "As in the published code. Where features before the projector are not at hand, those "
            "after it are compared.",
        ),
        terms={
            "encoder": "attention paid inside the vision encoder",
        },
    )

    important_ratio: float = 0.5

    def __post_init__(self) -> None:
        """Check the share."""
        super().__post_init__()
        check_number(self.important_ratio, "important_ratio", 1)

    @property
    def needs(self) -> Needs:
        """The encoder."""
        return Needs(encoder=True)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention received, and which stay."""
        seen = context.encoded()
        found, start = [], 0
        for part, share in seen.shares(keep):
            found.append(start + self._kept(part, share))
            start += part.attention.shape[-1]
        kept = torch.cat(found, -1)
        return Scores(seen.attention, {"encoder": seen.attention}, kept, seen.notes)

    def _kept(self, seen: Encoded, keep: int) -> torch.Tensor:
        """One image's important and diverse patches, ascending, int64 ``[..., keep]``."""
        order = torch.sort(seen.attention, dim=-1, descending=True, stable=True).indices
        few = int(keep * self.important_ratio)
        diverse = thin_out(seen.features, order[..., few:], keep - few)
        return torch.cat([order[..., :few], diverse], -1).sort(-1).values


def thin_out(features: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """Drop the most duplicated tokens until `count` are left.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, d]`` of all tokens, or ``[rows, n, d]``.
    places : torch.Tensor
        Int64 ``[..., m]``: those to thin out, the most important first.
    count : int
        How many stay.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., count]``.
    """
    unit = normalize(taken_at(features, places).float(), dim=-1)
    # All likenesses once: a round only looks some of them up.
    alike = products(unit, unit)
    total, device = places.shape[-1], places.device
    rows = [torch.arange(n, device=device)[:, None, None] for n in places.shape[:-1]]
    # Upright, so that every second one and those between name a block of likenesses.
    left = torch.arange(total, device=device).expand(places.shape)[..., None]
    while (number := left.shape[-2]) > count:
        first, second = left[..., ::2, :], left[..., 1::2, :]
        if number > 1:
            likeness = alike[*rows, first, second.mT].amax(-1, keepdim=True)
        else:
            likeness = torch.zeros_like(first)
        going = min(_ROUND, number - count, first.shape[-2])
        order = torch.sort(likeness, dim=-2, descending=True, stable=True).indices
        # As published: those that were compared go first, the most duplicated of them in front.
        left = torch.cat([first.gather(-2, order[..., going:, :]), second], -2)
    return places.gather(-1, left.squeeze(-1))
