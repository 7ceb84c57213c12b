"""FoPru: the vision encoder's own attention decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import Scores, Stage, StageContext, check_count
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import top_indices

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
    FoPru (arXiv 2411.14164). Text plays no part. Works for encoders with and without CLS.
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
        rows, columns = context.grid()
        if rows * columns != significance.shape[0]:
            raise ValueError("FoPru's row strategy takes prompts of one image on one grid.")
        row_mean = significance.view(rows, columns).mean(1)
        kept_rows = top_indices(row_mean, self._row_count(keep, rows, columns))
        places = significance.new_tensor(range(rows * columns), dtype=kept_rows.dtype)
        kept = places.view(rows, columns)[kept_rows].flatten()
        total = row_mean.repeat_interleave(columns)
        return Scores(total, {"significance": significance, "row": total}, kept)

    def _row_count(self, keep: int, rows: int, columns: int) -> int:
        if self.keep_tokens is None:
            kept_rows = int(rows * self.budget_ratio)
            check_count(kept_rows, rows)
            return kept_rows
        if keep % columns:
            raise ValueError(
                f"FoPru's row strategy keeps whole rows of {columns} tokens: keep_tokens must be "
                f"a multiple of {columns}, not {keep}."
            )
        return keep // columns
