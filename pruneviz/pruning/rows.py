"""The rows of a batch as the host knows them, and those of them that are scored together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the batch: which columns of the prompt are what, each int64, ascending.

    Attributes
    ----------
    number : int
        Which row.
    columns : np.ndarray
        Its visual tokens.
    text : np.ndarray
        All else but padding.
    padding : np.ndarray
        The padding.
    after_image : np.ndarray
        The text after the last token of an image; empty where there is none.
    ids : np.ndarray or None
        Int64 ``[length]``: the row's ids, where they are known.
    """

    number: int
    columns: np.ndarray
    text: np.ndarray
    padding: np.ndarray
    after_image: np.ndarray
    ids: np.ndarray | None

    @property
    def num_visual(self) -> int:
        """Visual tokens."""
        return len(self.columns)

    @property
    def num_text(self) -> int:
        """Prompt tokens that are not visual, padding not counted."""
        return len(self.text)

    @cached_property
    def first(self) -> int:
        """Column of the first token that is no padding; 0 where there is none."""
        return min((int(part[0]) for part in (self.columns, self.text) if len(part)), default=0)

    @cached_property
    def last(self) -> int:
        """Column of the last token; -1 where there is none."""
        return max((int(part[-1]) for part in (self.columns, self.text) if len(part)), default=-1)

    @property
    def spread(self) -> bool:
        """Whether there is anything between its visual tokens."""
        return int(self.columns[-1] - self.columns[0]) + 1 > self.num_visual


@dataclass(frozen=True, eq=False)
class Words:
    """Text tokens of some rows, as many of each: a row with fewer is filled up in front.

    Attributes
    ----------
    columns : torch.Tensor
        Int64 ``[rows, t]``: their columns in the prompt.
    real : torch.Tensor or None
        Bool ``[rows, t]``, False at what only fills up; None = all are real.
    tail : bool
        Whether they are each row's last tokens.
    """

    columns: torch.Tensor
    real: torch.Tensor | None
    tail: bool

    @property
    def count(self) -> int:
        """How many of each row."""
        return self.columns.shape[1]

    @cached_property
    def weights(self) -> torch.Tensor | None:
        """Weight of each in the mean over those of its row, float32 ``[rows, t]``.

        None = all alike; NaN in a row without any.
        """
        if self.real is None:
            return None
        real = self.real.float()
        return real / real.sum(-1, keepdim=True)

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        columns: Sequence[np.ndarray],
        device: torch.device,
        tail: bool = False,
    ) -> Words:
        """Those columns of each row; what fills up is its last token, which never goes."""
        most = max(map(len, columns))
        filled = np.zeros((len(columns), most), dtype=np.int64)
        real = np.zeros((len(columns), most), dtype=bool)
        for place, (row, own) in enumerate(zip(rows, columns, strict=True)):
            filled[place] = max(row.last, 0)
            filled[place, most - len(own) :] = own
            real[place, most - len(own) :] = True
        return cls(
            put(filled, device), None if real.all() else put(real, device), tail and most > 0
        )


@dataclass(frozen=True, eq=False)
class Group:
    """Rows with equally many visual tokens, which a method scores together.

    Attributes
    ----------
    rows : tuple of Row
        They, in order; of equal ones the first.
    followers : tuple of tuple of int
        For each of them the numbers of all rows that get its choice, its own first.
    batch : int
        Rows of the whole batch.
    device : torch.device
        Where tensors go.
    """

    rows: tuple[Row, ...]
    followers: tuple[tuple[int, ...], ...]
    batch: int
    device: torch.device

    @property
    def num_visual(self) -> int:
        """Visual tokens of each row."""
        return self.rows[0].num_visual

    @cached_property
    def index(self) -> torch.Tensor | None:
        """Int64 ``[rows]``: their numbers in the batch; None where they are all of it in order."""
        numbers = [row.number for row in self.rows]
        return None if numbers == list(range(self.batch)) else put(np.array(numbers), self.device)

    @cached_property
    def columns(self) -> torch.Tensor:
        """Int64 ``[rows, num_visual]``: columns of all visual tokens in the prompt."""
        return put(np.stack([row.columns for row in self.rows]), self.device)

    @cached_property
    def slots(self) -> torch.Tensor:
        """Int64 ``[rows, num_visual]``: 0, 1, 2 and so on, a slot for each visual token."""
        return put(np.tile(np.arange(self.num_visual), (len(self.rows), 1)), self.device)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Of all rows that get its choices, those that follow one of them together."""
        return tuple(number for follow in self.followers for number in follow)

    def repeated(self, values: torch.Tensor) -> torch.Tensor:
        """Of its own rows ``[rows, ...]``, for all of `numbers`."""
        if len(self.numbers) == len(self.rows):
            return values
        leader = [place for place, follow in enumerate(self.followers) for _ in follow]
        return values.index_select(0, put(np.array(leader), values.device))

    def of(self, states: torch.Tensor) -> torch.Tensor:
        """These rows of anything ``[batch, ...]`` or, shared by all, ``[1, ...]``."""
        if self.index is None or len(states) == 1:
            return states
        return states.index_select(0, self.index)


def put(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array on the device, without a wait for it."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device, non_blocking=True)


def fetch(*tensors: torch.Tensor) -> list[np.ndarray]:
    """Integer and bool tensors as arrays on the host, in one wait for the device."""
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return [tensor.numpy() for tensor in tensors]
    flat = torch.cat([tensor.reshape(-1).long() for tensor in tensors]).cpu().numpy()
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(tuple(t.shape)) for part, t in zip(parts, tensors, strict=True)]
