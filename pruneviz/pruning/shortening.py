"""A shorter frame made of what stays: text, visual tokens that are kept, and filler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pruneviz.pruning.frames import Frame, closed_up, kept_positions
from pruneviz.pruning.rows import Row, put


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of the batch that keep equally many visual tokens.

    Attributes
    ----------
    rows : tuple of Row
        They.
    kept : torch.Tensor or None
        Int64 ``[rows, k]``: columns of the visual tokens that stay; None where there are none.
    alive : int
        Visual tokens before.
    """

    rows: tuple[Row, ...]
    kept: torch.Tensor | None
    alive: int = 0

    @property
    def count(self) -> int:
        """Visual tokens kept in each row."""
        return 0 if self.kept is None else self.kept.shape[1]


def shrink(before: Frame, parts: Sequence[Part], renumber: bool) -> tuple[torch.Tensor, Frame]:
    """Leave only text and kept visual tokens in every row.

    Rows may have different numbers of them: the longest decides, shorter ones are filled up with
    their padding and, where that does not do, with their first token again; both are masked.

    Parameters
    ----------
    before : Frame
        Before.
    parts : sequence of Part
        All rows of the batch, each once.
    renumber : bool
        Close the gaps between position ids, else keep them.

    Returns
    -------
    places : torch.Tensor
        Int64 ``[batch, n']``: places in the old frame that stay, ascending.
    frame : Frame
        After.
    """
    length = max(len(row.text) + part.count for part in parts for row in part.rows)
    fill = [[_fill(row, length - part.count) for row in part.rows] for part in parts]
    filled = [
        (row, one)
        for part, rows in zip(parts, fill, strict=True)
        for row, one in zip(part.rows, rows, strict=True)
    ]
    device = before.columns.device
    # Padding is mostly in front; then the host knows which places it comes to stand in.
    front = all(len(one) == 0 or one.max() <= row.first for row, one in filled)
    keys = [_keys(part, rows, not front, device) for part, rows in zip(parts, fill, strict=True)]
    columns, valid = _in_order(parts, keys).sort(-1).values, None
    if not front:
        columns, valid = columns >> 1, (columns & 1).bool()
    elif any(len(one) for _, one in filled):
        counts = np.array([len(one) for _, one in sorted(filled, key=lambda own: own[0].number)])
        valid = put(np.arange(length) >= counts[:, None], device)
    places = before.places_of_all(columns, filled=valid is not None)
    aligned = not any(len(one) and one.max() > row.last for row, one in filled)

    # A row that loses nothing is not counted anew because another one is.
    spared = [row.number for part in parts if part.count == part.alive for row in part.rows]
    mixed = renumber and bool(spared) and not before.contiguous

    def count() -> torch.Tensor:
        if not renumber:
            return kept_positions(before, places)
        closed = closed_up(before, places, valid, aligned)
        if not mixed:
            return closed
        rows = np.isin(np.arange(len(places)), spared)
        same = put(rows[:, None], device)
        return torch.where(same, kept_positions(before, places), closed)

    return places, Frame(
        columns,
        valid,
        aligned,
        contiguous=renumber and not mixed,
        count=count,
        renumbered=before.renumbered or renumber,
    )


def _fill(row: Row, room: int) -> np.ndarray:
    """Columns that fill a row up to `room` tokens beside its visual ones, int64."""
    missing = room - len(row.text)
    own = row.padding[:missing]
    return np.concatenate([own, np.full(missing - len(own), row.first, dtype=np.int64)])


def _keys(part: Part, fill: list[np.ndarray], marked: bool, device: torch.device) -> torch.Tensor:
    """Columns of a part's rows; where `marked`, doubled, and one more if valid."""
    factor, mark = (2, 1) if marked else (1, 0)
    pairs = zip(part.rows, fill, strict=True)
    fixed = put(
        np.stack([np.concatenate([factor * row.text + mark, factor * one]) for row, one in pairs]),
        device,
    )
    if part.kept is None:
        return fixed
    kept = part.kept * 2 + 1 if marked else part.kept
    return torch.cat([fixed, kept], dim=1)


def _in_order(parts: Sequence[Part], tensors: list[torch.Tensor]) -> torch.Tensor:
    """Rows of all parts in the batch's order."""
    numbers = [row.number for part in parts for row in part.rows]
    joined = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
    if numbers == sorted(numbers):
        return joined
    return joined.index_select(0, put(np.argsort(numbers), joined.device))
