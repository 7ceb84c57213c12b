"""What answers cost, as lmms-eval writes it into its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from pruneviz.evaluation.log import Row

COSTS = {"visual": "visual_tokens", "tokens": "visual_tokens_kept"} | {
    name: name for name in ("layer_average", "flops", "paper_tflops", "kv_bytes")
}
"""Field of a row, and what the results call its mean (with ``avg_`` before it)."""


def costs_of(rows: Mapping[str, Sequence[Row]]) -> dict[str, float]:
    """Means over all questions, and over those of each task as ``task/name``.

    Parameters
    ----------
    rows : mapping of str to sequence of Row
        The rows of each task, one a question.
    """
    every = [row for own in rows.values() for row in own]
    found = _means(every, "")
    for task, own in rows.items():
        found |= _means(own, f"{task}/")
    return found


def _means(rows: Sequence[Row], before: str) -> dict[str, float]:
    if not rows:
        return {}
    return {f"{before}{name}": fmean(row[field] for row in rows) for field, name in COSTS.items()}
