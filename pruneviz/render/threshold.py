"""Whether a stage's scores alone part what is kept from what is dropped, and on which side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pruneviz.trace import Trace

PINNED = "Patches were kept or dropped by hand: the scores alone do not decide."
MERGED = "Patches were merged: the scores alone do not decide which token stands for them."
OTHERWISE = (
    "The scores alone do not decide: some dropped patches score higher than some that are kept."
)
TIED = "The scores alone do not decide: equal ones lie on both sides."
UNSCORED = "The scores alone do not decide: some patches have none."


@dataclass(frozen=True)
class Threshold:
    """Where a line can be drawn on a scale of one stage's scores.

    Attributes
    ----------
    kept : {"above", "below"} or None
        On which side of the line everything is kept, and everything on the other dropped; None
        where there is no such line.
    kept_edge, dropped_edge : float
        The scores next to the line on either side; NaN where there is none.
    why : str
        Why there is none; empty where there is one, or nothing was dropped.
    """

    kept: Literal["above", "below"] | None = None
    kept_edge: float = float("nan")
    dropped_edge: float = float("nan")
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None in place of NaN."""
        edges = [float(v) if np.isfinite(v) else None for v in (self.kept_edge, self.dropped_edge)]
        return {"kept": self.kept, "edges": edges, "why": self.why}


def threshold(trace: Trace, number: int) -> Threshold:
    """Of one stage of a run, as it really chose.

    Equal scores on both sides leave no line, as do pins and merging, which overrule the scores.

    Parameters
    ----------
    trace : Trace
        The run.
    number : int
        The stage, by its place in the trace.
    """
    stage = trace.stages[number]
    stays = np.isin(stage.alive, stage.kept)
    if stays.all() or not stays.any():
        return Threshold()
    if trace.pins("keep") or trace.pins("drop"):
        return Threshold(why=PINNED)
    if stage.into is not None:
        return Threshold(why=MERGED)
    kept, dropped = stage.scores[stays], stage.scores[~stays]
    if np.isnan(stage.scores).any():
        return Threshold(why=UNSCORED)
    if kept.min() > dropped.max():
        return Threshold("above", float(kept.min()), float(dropped.max()))
    if kept.max() < dropped.min():
        return Threshold("below", float(kept.max()), float(dropped.min()))
    tied = kept.min() == dropped.max() or kept.max() == dropped.min()
    return Threshold(why=TIED if tied else OTHERWISE)
