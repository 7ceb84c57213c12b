"""Which columns of the prompt a decoder layer sees, row by row of the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch


@dataclass(frozen=True, eq=False)
class Frame:
    """The sequence as one stretch of decoder layers sees it.

    Attributes
    ----------
    columns : torch.Tensor
        Int64 ``[batch, n]``, ascending: columns of the original prompt. What fills a row that is
        shorter than others stands for padding, or before the column that it repeats.
    valid : torch.Tensor or None
        Bool ``[batch, n]``, False at padding and filler; None = all valid.
    aligned : bool
        Whether every row's last valid token is in the last place.
    contiguous : bool
        Whether each valid token's position is one above that of the one before it.
    count : callable
        Computes `positions`, which only few ask for.
    whole : bool
        Whether it is the unpruned prompt, so that columns are places.
    renumbered : bool
        Whether positions differ from those that the decoder stack was given.
    """

    columns: torch.Tensor
    valid: torch.Tensor | None
    aligned: bool
    contiguous: bool
    count: Callable[[], torch.Tensor]
    whole: bool = False
    renumbered: bool = False

    @property
    def length(self) -> int:
        """Number of columns."""
        return self.columns.shape[1]

    @cached_property
    def positions(self) -> torch.Tensor:
        """Position id of each token, int64 ``[batch, n]``.

        ``[channels, batch, n]`` where the model gives a token several.
        """
        return self.count()

    def marks(self, dtype: torch.dtype) -> torch.Tensor:
        """1 at valid tokens and 0 elsewhere, ``[batch, n]``; made once for all decode steps."""
        if dtype not in self._marks:
            valid = torch.ones_like(self.columns) if self.valid is None else self.valid
            self._marks[dtype] = valid.to(dtype)
        return self._marks[dtype]

    @cached_property
    def _marks(self) -> dict[torch.dtype, torch.Tensor]:
        return {}

    def places_of_all(self, columns: torch.Tensor, filled: bool) -> torch.Tensor:
        """Places of all columns ``[batch, n]`` of a shorter frame, which `filled` may hold filler.

        Filler need not be here any more; anything will do in its place.
        """
        places = self.places(columns)
        return places.clamp(0, self.length - 1) if filled and not self.whole else places

    def places(self, columns: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Places in this frame of original columns, which it must hold.

        `columns` are int64 ``[rows, m]``, `rows` the int64 numbers of their rows in the batch;
        None = all of them in order.
        """
        if self.whole:
            return columns
        own = self.columns if rows is None else self.columns.index_select(0, rows)
        if self.valid is None:
            return torch.searchsorted(own, columns)
        # Filler stands before the column that it repeats.
        return torch.searchsorted(own, columns, right=True) - 1


class Frames:
    """The frames of one prefill: which one each decoder layer sees.

    Parameters
    ----------
    full : Frame
        The unpruned prompt.
    """

    def __init__(self, full: Frame) -> None:
        self.full = full
        self._frames = [(0, full)]

    @property
    def base(self) -> Frame:
        """What the decoder stack itself is given: shorter after pruning before the LLM."""
        return self._frames[0][1]

    @property
    def newest(self) -> Frame:
        """What the layers still to come see."""
        return self._frames[-1][1]

    @property
    def pruned(self) -> bool:
        """Whether any token was removed."""
        return self.newest is not self.full

    @property
    def ragged(self) -> bool:
        """Whether any layer sees padding or filler."""
        return any(frame.valid is not None for _, frame in self._frames)

    def at(self, index: int) -> Frame:
        """Frame that the decoder layer of this index, from 0, sees."""
        return next(frame for first, frame in reversed(self._frames) if first <= index)

    def add(self, first: int, frame: Frame) -> None:
        """Let the layers see `frame` from index `first` on; 0 = the whole stack."""
        if first == 0:
            # The stack computes masks and rotary tables for the shortened prompt by itself.
            self._frames = [(0, replace(frame, renumbered=False))]
        else:
            self._frames.append((first, frame))


def kept_positions(frame: Frame, places: torch.Tensor) -> torch.Tensor:
    """Positions of the places ``[batch, n]`` of a frame that stay."""
    positions = frame.positions
    return positions.gather(-1, places.expand(*positions.shape[:-1], -1))


def closed_up(
    frame: Frame, places: torch.Tensor, valid: torch.Tensor | None, aligned: bool
) -> torch.Tensor:
    """The same without gaps, those before a gap moved towards the last.

    RoPE knows only differences, so this is what counting from the first one on would give; but
    the last token keeps its position, and those that come after it need no other than the model
    gives them. Nor does the length change by which some RoPE types choose their frequencies.

    `valid` and `aligned` are those of the frame that is made.
    """
    if frame.aligned and aligned:
        back = torch.arange(1 - places.shape[1], 1, device=places.device)
        return frame.positions[..., -1:] + back
    positions = kept_positions(frame, places)
    real = torch.ones_like(places, dtype=torch.bool) if valid is None else valid
    low = torch.iinfo(positions.dtype).min
    last = positions.masked_fill(~real, low).amax(-1, keepdim=True)
    left = real.long().flip(-1).cumsum(-1).flip(-1)
    return torch.where(real, last + 1 - left, positions)
