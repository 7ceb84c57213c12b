"""A pruned cache knows that it was pruned: after its block it is read, but not gone on with.

Outside of the block nothing gives new tokens the positions and masks that layers of different
lengths need, so the model would answer wrongly without a word. Inside nothing is added to a cache:
its layers change their class when the block is left.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from transformers.cache_utils import Cache

from pruneviz.errors import PruningError

MARK = "_pruneviz_pruned"
REFUSAL = (
    "This cache was filled under prune(), whose block has ended: what was dropped is missing in "
    "it, and layers hold their own lengths, so that going on with it would give wrong answers. Go "
    "on inside the block, or run the whole conversation with a fresh cache."
)
_SPENT: dict[type, type] = {}


class Mark:
    """Beside the tensors of a layer, so that a copy made inside the block is spent as well.

    Parameters
    ----------
    layer
        Of a pruned cache.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = ref(layer)

    def __deepcopy__(self, memo: dict[int, Any]) -> Mark:
        copied = memo.get(id(self._layer()))
        if copied is None:
            return self
        _spend(copied)
        return Mark(copied)

    def __reduce__(self) -> Any:
        # A reference cannot be written to a file; only copies within a block need it.
        return bool, ()


def mark(filled: Cache) -> None:
    """Note that a cache was pruned, for who copies it."""
    for layer in filled.layers:
        setattr(layer, MARK, Mark(layer))


def spend(filled: Cache) -> None:
    """Let a pruned cache take no new tokens any more."""
    for layer in filled.layers:
        if layer.get_seq_length():
            _spend(layer)


def _spend(layer: Any) -> None:
    if type(layer) not in _SPENT.values():
        layer.__class__ = _spent(type(layer))


def _spent(kind: type) -> type:
    """What layers of a class become: everything they were, but they take no new tokens."""
    if kind not in _SPENT:
        # With the one base and no attributes of its own, or layers could not change to it.
        own = {"__slots__": (), "update": _update, "__reduce_ex__": _reduce}
        _SPENT[kind] = type(f"Spent{kind.__name__}", (kind,), own)
    return _SPENT[kind]


def _update(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse new tokens, unless the layer was emptied: then it is as good as new."""
    if layer.get_seq_length():
        raise PruningError(REFUSAL)
    layer.__class__ = type(layer).__base__
    vars(layer).pop(MARK, None)
    return layer.update(*args, **kwargs)


def _reduce(layer: Any, _: Any) -> Any:
    """Copied or written to a file it stays what it is."""
    return _remade, (type(layer).__base__,), vars(layer)


def _remade(kind: type) -> Any:
    made = _spent(kind)
    return object.__new__(made)
