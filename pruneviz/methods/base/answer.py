"""Whether what a method answers can be acted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base.scores import Merge, Scores


def check_scores(scores: Any, shape: tuple[int, ...], title: str) -> None:
    """Check the scores of a stage; what costs no waiting for an accelerator.

    Parameters
    ----------
    scores : Scores
        What the method returned.
    shape : tuple of int
        Tokens that it was asked about, before them rows where it was asked about several.
    title : str
        Its title, for the message.

    Raises
    ------
    PruningError
        If something has the wrong type or shape.
    """
    if not isinstance(scores, Scores):
        raise _wrong(title, f"score() returned {type(scores).__name__} instead of Scores(total)")
    for name, values in {"total": scores.total, **scores.components}.items():
        if not isinstance(values, torch.Tensor) or tuple(values.shape) != shape:
            got = tuple(values.shape) if hasattr(values, "shape") else type(values).__name__
            wanted = ", ".join(map(str, shape))
            raise _wrong(title, f"its {name!r} must be a tensor [{wanted}], got {got}")
    if scores.kept is not None:
        check_places(scores.kept, shape, title)
    if scores.merge is not None:
        _check_merge(scores.merge, shape, title)


def check_places(kept: Any, shape: tuple[int, ...], title: str) -> None:
    """Check the places that a method keeps: int64, ascending, each once, at least one.

    Raises
    ------
    PruningError
        If they are something else. On an accelerator only type and number are looked at.
    """
    alive = shape[-1]
    right = isinstance(kept, torch.Tensor) and kept.dtype == torch.int64
    if not right or kept.shape[:-1] != shape[:-1] or not kept.ndim:
        kind = getattr(kept, "dtype", type(kept).__name__)
        raise _wrong(title, f"'kept' must be int64 places [k], got {kind}")
    if not 1 <= kept.shape[-1] <= alive:
        raise _wrong(title, f"it keeps {kept.shape[-1]} of {alive} tokens")
    if kept.device.type != "cpu":
        return
    places = kept.numpy()
    if (places < 0).any() or (places >= alive).any() or (np.diff(places) <= 0).any():
        raise _wrong(title, f"'kept' must be ascending places from 0 to {alive - 1}, each once")


def _check_merge(merge: Merge, shape: tuple[int, ...], title: str) -> None:
    alive, found = shape[-1], tuple(merge.states.shape)
    made = found[-2] if len(found) > 1 else 0
    if not 1 <= made <= alive or found[:-2] != shape[:-1]:
        raise _wrong(title, f"it makes {made} tokens of {alive}, as {found}")
    for name, values, size in (("anchors", merge.anchors, made), ("into", merge.into, alive)):
        wanted = (*shape[:-1], size)
        if values.dtype != torch.int64 or tuple(values.shape) != wanted:
            raise _wrong(title, f"its merge's {name!r} must be int64 {list(wanted)}")
    if merge.anchors.device.type != "cpu":
        return
    anchors = np.sort(merge.anchors.numpy(), axis=-1)
    twice = (anchors[..., 1:] == anchors[..., :-1]) & (anchors[..., 1:] >= 0)
    if twice.any() or (anchors >= alive).any():
        raise _wrong(title, "two merged tokens stand for one place, or one for a place not there")
    if (merge.into.numpy() >= made).any():
        raise _wrong(title, f"its merge's 'into' names tokens beyond the {made} that it makes")


def _wrong(title: str, what: str) -> PruningError:
    return PruningError(f"{title} cannot be used: {what}. See Scores in pruneviz.methods.base.")
