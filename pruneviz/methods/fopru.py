"""FoPru: the vision encoder's own attention decides."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    HEADS,
    BeforeLLM,
    Card,
    Choice,
    Formula,
    Needs,
    Scores,
    Stage,
    StageContext,
    check_choice,
    check_count,
    check_flag,
)
from pruneviz.ops import group_means, top_indices

STRATEGIES = ("rank", "row")
CROPS = ("together", "each")


@dataclass(frozen=True, kw_only=True)
class FoPru(BeforeLLM):
    """Keep what the vision encoder itself attends to, token by token or in whole rows.

    Significance is the head-averaged attention map of one encoder layer, averaged over queries or
    over keys, whichever varies more over the image.

    Parameters
    ----------
    strategy : {"rank", "row"}
        The best tokens of the whole image, or the best whole rows of patches
        (``int(rows * ratio)`` of them, rows scored by their mean).
    include_cls : bool
        Whether a leading CLS token belongs to the map that is averaged. The paper does not
        say; False (patches only, softmax still over all keys) is our choice.
    crops : {"together", "each"}
        Where an image is encoded as several crops, or there are several images: whether all
        tokens compete, by significance in their own crop, or every crop keeps its share (tokens
        then compete by their rank within their crop, which ``"row"`` does not know).
    encoder_layer : int, optional
        Whose attention is read, counted from 1 or, if negative, from the end. Default: the
        paper's penultimate on LLaVA-1.5, LLaVA-NeXT and Video-LLaVA; elsewhere the layer whose
        output the LLM gets, on Qwen2.5-VL the last that attends to the whole image.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. With ``strategy="row"``, `keep_tokens`
        must be a multiple of the grid's width.

    Notes
    -----
    FoPru (arXiv 2411.14164). Text plays no part. Works for encoders with and without CLS. The
    paper describes one crop and one grid; what happens to several is ours. Rows of all crops and
    images of a prompt are ranked together, a row of tiles with its newline.
    """

    name: ClassVar[str] = "fopru"
    card: ClassVar[Card] = Card(
        title="FoPru",
        summary=(
            "Before the LLM, keeps the patches that stand out in the vision encoder's own "
            "attention; the question plays no part."
        ),
        decides="the vision encoder's own attention; whole image or row by row",
        standing="from its formulas, no code is published",
        paper="https://arxiv.org/abs/2411.14164",
        formula=Formula(
            (
                (r"M = \frac{1}{H} ∑_h M_h", "mean over heads"),
                (r"c_j = \frac{1}{n} ∑_i M_{i, j}", "attention received"),
                (r"e_i = \frac{1}{n} ∑_j M_{i, j}", "attention paid"),
                (r"s = c \text{ if } Var(c) > Var(e), \text{ else } e", "significance"),
                (r"K = ⌊r N⌋", "largest s kept; by rows, ⌊r · rows⌋ whole rows of largest mean s"),
            ),
            (
                (
                    "M_h",
                    "attention map of head h in one layer of the vision encoder: the last but "
                    "one on LLaVA, elsewhere the last (Qwen2.5-VL: of those that attend to the "
                    "whole image)",
                ),
                HEADS,
                ("i, j", "patches: the one that looks and the one looked at"),
                ("n", "rows and columns of the map: the patches"),
                ("Var", "variance over the patches"),
                BUDGET,
            ),
            "Whether a CLS token belongs to the map is not said: we leave it out, with the "
            "softmax still over all tokens (parameter include_cls). Of several crops or images "
            "each is judged by itself and all compete; crops=each gives every one its share. "
            "encoder_layer reads another layer. No code is published, and we do not know the "
            "equations' numbers.",
        ),
        terms={
            "significance": "attention received inside the vision encoder",
            "row": "mean significance of the patch's row",
            "place in its crop": "rank by significance within its own crop, 1 for the best",
        },
        options=(
            Choice("strategy", "The best patches anywhere, or the best whole rows.", STRATEGIES),
        ),
        nested=True,
        compared=True,
        place=3,
    )

    strategy: str = "rank"
    include_cls: bool = False
    crops: str = "together"
    encoder_layer: int | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        for name, known in (("strategy", STRATEGIES), ("crops", CROPS)):
            check_choice(getattr(self, name), name, known)
        check_flag(self.include_cls, "include_cls")
        if self.strategy == "row" and self.crops == "each":
            raise ValueError('Rows reach over crops: strategy="row" needs crops="together".')
        layer = self.encoder_layer
        if isinstance(layer, Integral) and not isinstance(layer, bool):
            # NumPy's numbers become Python's, so that a trace's settings are plain values.
            layer = int(layer)
            object.__setattr__(self, "encoder_layer", layer)
        if layer is not None and (
            isinstance(layer, bool) or not isinstance(layer, int) or not layer
        ):
            raise ValueError(
                "encoder_layer must be a whole number, from 1 on or negative to count from the "
                f"end, not {layer!r}."
            )

    @property
    def needs(self) -> Needs:
        """The encoder layer asked for."""
        return Needs(encoder=True, encoder_layer=self.encoder_layer)

    @property
    def nested(self) -> bool:
        """Not where whole rows are kept."""
        return self.strategy == "rank"

    @property
    def batched(self) -> bool:
        """Where all tokens of an image compete; rows of patches and crops are each image's own."""
        return self.strategy == "rank" and self.crops == "together"

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Significance, or that of the token's row."""
        significance = context.vision_significance(self.include_cls)
        if self.crops == "each":
            places = _places_in_crops(significance, context.crops())
            return Scores(places, {"significance": significance, "place in its crop": places})
        if self.strategy == "rank":
            return Scores(significance, {"significance": significance})
        widths = [columns for rows, columns in context.blocks() for _ in range(rows)]
        if len(widths) == 1:
            raise ValueError(
                "FoPru's row strategy needs the rows of the image's tokens, which are not known "
                'here. Choose strategy="rank".'
            )
        row = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))
        row = row.to(significance.device)
        row_mean = group_means(significance[:, None], row, len(widths))[:, 0]
        kept_rows = top_indices(row_mean, self._row_count(keep, widths))
        kept = torch.isin(row, kept_rows).nonzero().squeeze(-1)
        total = row_mean[row]
        return Scores(total, {"significance": significance, "row": total}, kept)

    def _row_count(self, keep: int, widths: list[int]) -> int:
        if self.keep_tokens is None:
            kept_rows = int(len(widths) * self.budget_ratio)
            check_count(kept_rows, len(widths))
            return kept_rows
        if len(set(widths)) > 1:
            raise ValueError(
                "FoPru's row strategy keeps whole rows, which differ in length for this image: "
                "give keep_ratio instead of keep_tokens."
            )
        if keep % widths[0]:
            raise ValueError(
                f"FoPru's row strategy keeps whole rows of {widths[0]} tokens: keep_tokens must be "
                f"a multiple of {widths[0]}, not {keep}."
            )
        return keep // widths[0]


def _places_in_crops(significance: torch.Tensor, crops: torch.Tensor) -> torch.Tensor:
    """Each token's place among those of its crop, float32 ``[n]``: from 1 for the best down to 0.

    The largest of all crops together are the same share of every crop.
    """
    places = torch.empty_like(significance)
    for crop in crops.unique():
        own = (crops == crop).nonzero().squeeze(-1)
        order = significance[own].sort(descending=True, stable=True).indices
        steps = torch.arange(len(own), device=own.device, dtype=places.dtype)
        places[own[order]] = 1 - (steps + 0.5) / len(own)
    return places
