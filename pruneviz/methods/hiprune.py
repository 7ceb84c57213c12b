"""HiPrune: objects by a middle layer of the vision encoder, the rest by a deep one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

import torch

from pruneviz.methods.base import (
    BUDGET,
    HEADS,
    BeforeLLM,
    Card,
    Choice,
    Formula,
    Host,
    Needs,
    Scores,
    Stage,
    StageContext,
    check_choice,
    check_flag,
    check_number,
)
from pruneviz.ops import split_budget, top_indices

OBJECTS, OBJECTS_QWEN = 9 / 24, 16 / 32
"""Published object layers over the depths of the encoders they were published for."""
ANCHORS = ("excluded", "subtracted")


@dataclass(frozen=True, kw_only=True)
class HiPrune(BeforeLLM):
    """Keep what a middle encoder layer attends to, its neighbours, and the best of a deep layer.

    Parameters
    ----------
    alpha : float
        Share of the budget, in fives, that anchors make up with their four neighbours; in [0, 1],
        published: 0.1.
    object_layer : int, optional
        Encoder layer that anchors are chosen by, counted from 1. Default: the published one in
        proportion to the encoder's depth, 9 of 24 and on Qwen 16 of 32; of encoders with windows
        the nearest that attends to the whole image.
    encoder_layer : int, optional
        The deep layer, counted from 1 or, if negative, from the end. Default: the layer whose
        features the LLM gets, on Qwen2.5-VL the last that attends to the whole image.
    wrap : bool
        Whether an anchor at the end of a row has the first patch of the next one for a neighbour,
        and one at the edge the picture's first or last patch, as in the published code.
    anchors : {"excluded", "subtracted"}
        How anchors and neighbours are kept from being chosen again: left out, so that exactly the
        budget is kept; or, as published, by taking 1 off their deep score. On Qwen that score
        has the mean 1, so that some are chosen twice and fewer are kept.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    HiPrune (arXiv 2508.00553), as its published code: attention received from all queries of a
    crop, CLS among them, heads averaged; ``round(K * alpha / 5)`` anchors, halves to even. It
    speaks of one grid of known width; here neighbours are those of a token's own grid. The budget
    is each prompt's own, shared out over its images, where the published code divides it by the
    number of images in a batch.
    """

    name: ClassVar[str] = "hiprune"
    card: ClassVar[Card] = Card(
        title="HiPrune",
        summary=(
            "Before the LLM, keeps patches that a middle layer of the vision encoder attends to, "
            "their neighbours, and the most attended of a deep layer; the question plays no part."
        ),
        decides="attention in a middle and in a deep layer of the vision encoder",
        standing="equal to its code on 4 reference runs",
        paper="https://arxiv.org/abs/2508.00553",
        formula=Formula(
            (
                (r"s^l_i = \frac{1}{H n} ∑_{h, j} M^l_{h, j, i}", "attention received in layer l"),
                (r"A = \text{the } round(\frac{α K}{5}) \text{ largest } s^o", "anchors"),
                (r"B = \text{their neighbours left, right, above and below}", "buffers"),
                (r"R = \text{the } K - |A ∪ B| \text{ largest } s^d \text{ of the others}", "rest"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (
                ("M^l", "attention map of encoder layer l, n queries"),
                HEADS,
                ("o, d", "object layer, 9 of 24 or in proportion, and the deep layer"),
                ("α", "share that anchors take with their neighbours: 0.1, as published"),
                BUDGET,
            ),
            "As in the published code but for two things that switches bring back: its neighbours "
            "go round the ends of rows (wrap), and on Qwen it may choose a patch twice and keep "
            "fewer (anchors=subtracted). We do not know the equations' numbers.",
        ),
        terms={
            "object": "attention received in the object layer of the encoder",
            "deep": "attention received in its deep layer",
        },
        options=(Choice("anchors", "Left out of the rest, or as published on Qwen.", ANCHORS),),
    )

    alpha: float = 0.1
    object_layer: int | None = None
    encoder_layer: int | None = None
    wrap: bool = False
    anchors: str = "excluded"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number(self.alpha, "alpha", 1)
        check_choice(self.anchors, "anchors", ANCHORS)
        check_flag(self.wrap, "wrap")
        for what in ("object_layer", "encoder_layer"):
            layer = getattr(self, what)
            if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int)):
                raise ValueError(f"{what} must be a whole number, not {layer!r}.")

    def on(self, host: Host) -> Self:
        """The published object layer in proportion to the encoder's depth, unless it is set."""
        if self.object_layer is not None or not host.whole_layers:
            return self
        share = OBJECTS_QWEN if host.kin == "qwen" else OBJECTS
        return replace(self, object_layer=host.nearest(share))

    @property
    def needs(self) -> Needs:
        """Both layers of the encoder."""
        further = () if self.object_layer is None else (self.object_layer,)
        return Needs(
            encoder=True, encoder_layer=self.encoder_layer, further_layers=further, grid=True
        )

    @property
    def batched(self) -> bool:
        """Unless each picture's attention tells how many are chosen twice."""
        return self.anchors == "excluded"

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention received in both layers, and which patches stay."""
        deep, objects = context.attention_received()
        grids, images = list(context.blocks()), context.images()
        sizes = images if keep >= len(images) else (deep.shape[-1],)
        kept, first = [], 0
        for size, share in zip(sizes, split_budget(keep, sizes), strict=True):
            own = slice(first, first + size)
            grid = _grids_of(grids, size)
            kept.append(first + self._kept(deep[..., own], objects[..., own], grid, share))
            first += size
        places = torch.cat(kept, -1)
        share_of_best = deep / deep.amax(-1, keepdim=True)
        total = share_of_best.scatter_add(-1, places, torch.ones_like(deep))
        return Scores(total, {"object": objects, "deep": deep}, places)

    def _kept(
        self,
        deep: torch.Tensor,
        objects: torch.Tensor,
        grids: list[tuple[int, int]],
        keep: int,
    ) -> torch.Tensor:
        """One image's kept patches, ascending, int64 ``[..., k]``."""
        anchors = top_indices(objects, min(round(keep * self.alpha / 5), keep))
        total = deep.shape[-1]
        around = _neighbours(tuple(grids), self.wrap).to(deep.device, non_blocking=True)
        beside = around[anchors].flatten(-2)
        every = (*deep.shape[:-1], total + 1)
        chosen = torch.zeros(every, dtype=torch.bool, device=deep.device)
        # A place more than there are patches takes the neighbours that are none.
        near = chosen.scatter(-1, torch.where(beside < 0, total, beside), True)[..., :total]
        chosen = chosen[..., :total].scatter_(-1, anchors, True)
        # Neighbours only as far as there is room for them.
        fits = torch.where(near & ~chosen, objects, -torch.inf)
        room = keep - anchors.shape[-1]
        best = fits.sort(dim=-1, descending=True, stable=True).indices[..., :room]
        chosen = chosen.scatter_(-1, best, (near | chosen).gather(-1, best))
        # Of mean 1 on encoders without CLS, as published for Qwen: the sum over queries.
        if self.anchors == "excluded":
            first = torch.where(chosen, torch.inf, deep)
            return top_indices(first, keep)
        scale = deep / deep.mean()
        rest = torch.where(chosen, scale - 1, scale)
        order = torch.sort(rest, descending=True, stable=True).indices
        more = torch.arange(total, device=order.device) < keep - chosen.sum()
        chosen = chosen.index_copy_(0, order, chosen[order] | more)
        # The one wait for the device: how many are chosen twice is what it decides.
        return chosen.nonzero().squeeze(-1)


def _grids_of(grids: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The next grids of as many tokens; takes them out."""
    found: list[tuple[int, int]] = []
    while grids and sum(rows * columns for rows, columns in found) < size:
        found.append(grids.pop(0))
    fits = sum(rows * columns for rows, columns in found) == size
    return found if fits else [(1, size)]


@lru_cache(maxsize=64)
def _neighbours(grids: tuple[tuple[int, int], ...], wrap: bool) -> torch.Tensor:
    """Tokens left, right, above and below each one, int64 ``[n, 4]``; -1 where there is none."""
    found, first = [], 0
    for rows, columns in grids:
        own = torch.arange(rows * columns)
        if wrap:
            steps = own[:, None] + torch.tensor([-1, 1, -columns, columns])
            beside = steps.clamp(0, rows * columns - 1)
        else:
            row, column = own // columns, own % columns
            missing = torch.tensor(-1)
            beside = torch.stack(
                [
                    torch.where(column > 0, own - 1, missing),
                    torch.where(column < columns - 1, own + 1, missing),
                    torch.where(row > 0, own - columns, missing),
                    torch.where(row < rows - 1, own + columns, missing),
                ],
                dim=-1,
            )
        found.append(torch.where(beside < 0, -1, beside + first))
        first += rows * columns
    return torch.cat(found)
