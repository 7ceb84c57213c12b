"""Which columns of the prompt a decoder layer sees, row by row of the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, eq=False)
class Frame:
    """The sequence as one stretch of decoder layers sees it.

    Attributes
    ----------
    columns : torch.Tensor
        Int64 ``[batch, n]``, ascending: columns of the original prompt.
    valid : torch.Tensor or None
        Bool ``[batch, n]``, False at padding (and at dropped tokens that fill a row which
        drops more than another); None = all valid.
    visual : torch.Tensor
        Bool ``[batch, n]``, True at visual tokens that are not dropped.
    positions : torch.Tensor
        Int64 ``[batch, n]``: position id of each token; ``[channels, batch, n]`` where the model
        gives a token several.
    renumbered : bool
        Whether positions differ from those the model computes for its own input.
    """

    columns: torch.Tensor
    valid: torch.Tensor | None
    visual: torch.Tensor
    positions: torch.Tensor
    renumbered: bool = False

    @property
    def length(self) -> int:
        """Number of columns."""
        return self.columns.shape[1]

    @classmethod
    def full(
        cls, positions: torch.Tensor, valid: torch.Tensor | None, visual: torch.Tensor
    ) -> Frame:
        """The unpruned prompt: `positions` ``[..., batch, n]``, the others as attributes."""
        batch, length = positions.shape[-2:]
        columns = torch.arange(length, device=positions.device).expand(batch, length)
        return cls(columns, valid, visual, positions)

    def places(self, row: int, columns: torch.Tensor) -> torch.Tensor:
        """Places in this frame of original columns (which it must hold), int64."""
        return torch.searchsorted(self.columns[row].contiguous(), columns)

    def row_valid(self, row: int) -> torch.Tensor | None:
        """Bool ``[n]`` of one row, None where all are valid."""
        return None if self.valid is None else self.valid[row]


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
        """Whether any layer sees padding, or dropped tokens that fill a row."""
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


def shrink(
    frame: Frame, drop: torch.Tensor, counts: list[int], renumber: bool
) -> tuple[torch.Tensor, Frame]:
    """Remove columns from every row.

    Rows may drop different numbers: as many columns go as every row can spare from its dropped
    tokens and its padding; what a row must keep beyond its share stays as masked filler.

    Parameters
    ----------
    frame : Frame
        Before.
    drop : torch.Tensor
        Bool ``[batch, n]``, True at the tokens to drop.
    counts : list of int
        Number of True values per row.
    renumber : bool
        Close the gaps between position ids, else keep them.

    Returns
    -------
    index : torch.Tensor
        Int64 ``[batch, n']``: places in the old frame that stay, ascending.
    frame : Frame
        After.
    """
    if frame.valid is None:
        removed = min(counts)
        ragged = max(counts) != removed
        spare = drop.long()
    else:
        padding = (~frame.valid & ~drop).long()
        spare = drop.long() * 2 + padding
        pads = padding.sum(-1).tolist()
        removed = min(max(counts), *(c + p for c, p in zip(counts, pads, strict=True)))
        ragged = True
    # Dropped tokens go first, then padding, each from the left; the rest stays in order.
    order = torch.sort(spare, dim=-1, descending=True, stable=True).indices
    index = order[:, removed:].sort(-1).values
    valid = None
    if ragged:
        alive = ~drop if frame.valid is None else frame.valid & ~drop
        valid = alive.gather(1, index)
        valid = None if bool(valid.all()) else valid
    positions = frame.positions.gather(-1, index.expand(*frame.positions.shape[:-1], -1))
    if renumber:
        positions = _closed_up(positions, valid)
    after = Frame(
        frame.columns.gather(1, index),
        valid,
        (frame.visual & ~drop).gather(1, index),
        positions,
        frame.renumbered or renumber,
    )
    return index, after


def _closed_up(positions: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Positions without gaps, those before a gap moved towards the last.

    RoPE knows only differences, so this is what counting from the first one on would give; but
    the last token keeps its position, and those that come after it need no other than the model
    gives them. Nor does the length by which some RoPE types choose their frequencies change.
    """
    length = positions.shape[-1]
    if valid is None:
        back = torch.arange(1 - length, 1, device=positions.device)
        return positions[..., -1:] + back
    low = torch.iinfo(positions.dtype).min
    last = positions.masked_fill(~valid, low).amax(-1, keepdim=True)
    left = valid.long().flip(-1).cumsum(-1).flip(-1)
    return torch.where(valid, last + 1 - left, positions)


def leaders(*rows: torch.Tensor | None) -> list[int]:
    """For each row of a batch, the first row of its run of equal neighbours.

    Beam search repeats every sample; equal rows must get one and the same selection, and
    scoring them once is enough. Each of `rows` is ``[batch, ...]`` or None; rows are equal
    where all of them are.
    """
    given = [tensor for tensor in rows if tensor is not None]
    first = [0]
    for row in range(1, given[0].shape[0]):
        same = all(torch.equal(tensor[row], tensor[row - 1]) for tensor in given)
        first.append(first[-1] if same else row)
    return first
