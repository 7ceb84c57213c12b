"""How many rows one forward may take, bounded in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pruneviz.cost import ModelShape

T = TypeVar("T")

MOST = 16
"""Rows of one forward at most: more bring little speed, and keep who wants to stop waiting."""
MOST_CPU = 8
"""The same without an accelerator."""
BUFFERS = 8
"""States as wide as the hidden ones that a decoder layer holds at a time, about."""


def bytes_of_row(shape: ModelShape, fed: int, seen: int, answer: int, backend: str) -> int:
    """Bytes that one more row of a forward takes, about.

    Parameters
    ----------
    shape : ModelShape
        Of the model.
    fed, seen : int
        Tokens of the row that are fed, and all that they may look at.
    answer : int
        Tokens of the answer, for each of which logits are kept as float32, twice.
    backend : str
        Of attention: eager keeps all weights.
    """
    states = fed * (BUFFERS * shape.hidden + 3 * shape.intermediate) * shape.value_bytes
    # What is known, and the same with what is new behind it.
    cache = 2 * 2 * seen * shape.layers * shape.kv_heads * shape.head_dim * shape.value_bytes
    weights = fed * seen * (1 if backend != "eager" else 2 * 4 * shape.heads)
    return states + cache + weights + 2 * 4 * answer * shape.vocabulary


def rows_at_once(row: int, limit: int, device: str) -> int:
    """Rows of that many bytes in one forward, at least one; `device` is a kind such as "cpu"."""
    return max(1, min(MOST_CPU if device == "cpu" else MOST, limit // max(row, 1)))


def batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Neighbours, at most so many together."""
    for first in range(0, len(items), most):
        yield items[first : first + most]
