"""What a session remembers, bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from pruneviz.models.core.weights import free_memory

SHARE = 8
"""By default a session may fill this part of the memory that its model leaves free."""
LEAST = 2**28
"""And no more than this or the model's own weights, whichever is more: it pays no longer."""
UNKNOWN = 2**30
"""Bytes where it cannot be told how much is free."""


class Memory:
    """Values of any kind by key; those unused for longest go when together they are too large.

    Parameters
    ----------
    limit : int
        Bytes; what is larger than that alone is not kept.

    Attributes
    ----------
    size : int
        Bytes held.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value is held; asking is no use of it."""
        return key in self._held

    def __len__(self) -> int:
        """How many values are held."""
        return len(self._held)

    def get(self, key: Hashable) -> Any | None:
        """A value, None where it is not held."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def latest(self, wanted: Callable[[Any], bool]) -> Any | None:
        """The value used last of those whose keys are wanted, None where there is none."""
        found = next((key for key in reversed(self._held) if wanted(key)), None)
        return None if found is None else self.get(found)

    def put(self, key: Hashable, value: Any) -> None:
        """Hold a value, in place of an earlier one."""
        self.forget(key)
        size = size_of(value)
        if size > self.limit:
            return
        self._held[key] = value, size
        self.size += size
        while self.size > self.limit:
            self.forget(next(iter(self._held)))

    def forget(self, key: Hashable) -> None:
        """Let a value go, if it is held."""
        _, size = self._held.pop(key, (None, 0))
        self.size -= size


def default_limit(device: torch.device, weights: int = 0) -> int:
    """Bytes that a session on a device may fill unless it is told another number.

    `weights` are the bytes of the model's own.
    """
    free = free_memory(device)
    return UNKNOWN if free is None else min(free // SHARE, max(LEAST, weights))


def size_of(value: Any) -> int:
    """Bytes of the tensors, arrays and pictures in a value; each storage counts once.

    A model that a record refers to is not its own and does not count.
    """
    return sum(dict(_storages(value)).values())


def _storages(value: Any) -> Iterator[tuple[Hashable, int]]:
    """What tells each storage, and its bytes."""
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        yield (str(value.device), storage.data_ptr()), storage.nbytes()
    elif isinstance(value, np.ndarray):
        whole = value if value.base is None else value.base
        yield id(whole), value.nbytes if not isinstance(whole, np.ndarray) else whole.nbytes
    elif isinstance(value, Image.Image):
        yield id(value), value.width * value.height * len(value.getbands())
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _storages(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _storages(part)
    elif is_dataclass(value) and not isinstance(value, type | nn.Module):
        for part in fields(value):
            yield from _storages(getattr(value, part.name))
