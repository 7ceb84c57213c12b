"""FoPru: the vision encoder's own attention decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import Scores, Stage, StageContext, check_count
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import group_means, top_indices

STRATEGIES = ("rank", "row")


@dataclass(frozen=True, kw_only=True)
class FoPru(BeforeLLM):
    """Keep what the vision encoder itself attends to, token by token or in whole rows.

    Significance is the head-averaged attention map of the encoder's penultimate layer, averaged
    over queries or over keys, whichever varies more over the image.

    Parameters
    ----------
    strategy : {"rank", "row"}
        The best tokens of the whole image, or the best whole rows of patches
        (``int(rows * ratio)`` of them, rows scored by their mean).
    include_cls : bool
        Whether a leading CLS token belongs to the map that is averaged. The paper does not
        say; False (patches only, softmax still over all keys) is our choice.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. With ``strategy="row"``, `keep_tokens`
        must be a multiple of the grid's width.

    Notes
    -----
    FoPru (arXiv 2411.14164). Text plays no part. Works for encoders with and without CLS. Rows of
    all crops and images of a prompt are ranked together, a row of tiles with its newline, which is
    ours: the paper describes one grid.
    """

    name: ClassVar[str] = "fopru"
    title: ClassVar[str] = "FoPru"
    summary: ClassVar[str] = (
        "Before the LLM, keeps the patches that stand out in the vision encoder's own attention; "
        "the question plays no part."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2411.14164"
    needs_vision: ClassVar[bool] = True

    strategy: str = "rank"
    include_cls: bool = False

    def __post_init__(self) -> None:
        """Check the strategy."""
        super().__post_init__()
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"strategy must be one of {', '.join(STRATEGIES)}, not {self.strategy!r}."
            )

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Significance, or that of the token's row."""
        significance = context.vision_significance(self.include_cls)
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
