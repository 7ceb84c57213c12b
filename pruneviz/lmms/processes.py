"""What the processes of one run know together; lmms-eval itself reports the first one's alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import distributed

from pruneviz.evaluation.log import Row

COPIED = "__padding_only__"
"""Mark of lmms-eval on requests that only make the processes' shares equally long."""


@dataclass
class Part:
    """What one process, or all, answered.

    Attributes
    ----------
    rows : dict of str to list of dict
        By task, one a question.
    tokens : int
        Generated now, not found in the journal.
    seconds : float
        Spent on these.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0

    def add(self, rows: Sequence[tuple[str, Row]], fresh: Sequence[Row], seconds: float) -> None:
        """Take in rows with their tasks, and what was generated for them."""
        for task, row in rows:
            self.rows.setdefault(task, []).append(row)
        self.tokens += sum(row["generated"] for row in fresh)
        self.seconds += seconds


def together(part: Part) -> Part:
    """The parts of all processes as one; every process has to call it."""
    parts = [part]
    if distributed.is_available() and distributed.is_initialized():
        parts *= distributed.get_world_size()
        distributed.all_gather_object(parts, part)
    whole = Part()
    for one in parts:
        for task, rows in one.rows.items():
            whole.rows.setdefault(task, []).extend(rows)
        whole.tokens += one.tokens
        whole.seconds = max(whole.seconds, one.seconds)
    return whole
