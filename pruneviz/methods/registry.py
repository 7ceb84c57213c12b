"""Methods by name."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pruneviz.methods.base import Method
from pruneviz.methods.cdpruner import CDPruner
from pruneviz.methods.controls import Downsample, Grid, Random, Uniform
from pruneviz.methods.divprune import DivPrune
from pruneviz.methods.fastv import FastV
from pruneviz.methods.fopru import FoPru
from pruneviz.methods.prumerge import PruMerge, PruMergePlus
from pruneviz.methods.pyramiddrop import PyramidDrop
from pruneviz.methods.resprune import ResPrune
from pruneviz.methods.sparsevlm import SparseVLM
from pruneviz.methods.tome import ToMe
from pruneviz.methods.transprune import TransPrune
from pruneviz.methods.visionzip import VisionZip
from pruneviz.methods.vispruner import VisPruner

METHODS: dict[str, type[Method]] = {
    cls.name: cls
    for cls in (
        TransPrune,
        ResPrune,
        FoPru,
        FastV,
        PyramidDrop,
        SparseVLM,
        VisionZip,
        DivPrune,
        CDPruner,
        PruMerge,
        PruMergePlus,
        VisPruner,
        ToMe,
        Random,
        Uniform,
        Grid,
        Downsample,
    )
}


def list_methods() -> list[str]:
    """Names that :func:`get_method` takes, the seed methods first."""
    return list(METHODS)


def get_method(name: str, *, num_layers: int | None = None, **settings: Any) -> Method:
    """Build a method by name.

    Parameters
    ----------
    name : str
        One of :func:`list_methods`.
    num_layers : int, optional
        Decoder layers of the model. Published pruning layers are scaled to it, unless they are
        given.
    **settings
        Fields of the method, such as ``keep_ratio`` or ``keep_tokens``.

    Returns
    -------
    Method

    Raises
    ------
    ValueError
        On an unknown name, parameter or value; the message lists the valid ones.
    """
    method = METHODS.get(name)
    if method is None:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    valid = [f.name for f in fields(method)]
    unknown = sorted(set(settings) - set(valid))
    if unknown:
        raise ValueError(
            f"{method.title} has no parameter {', '.join(map(repr, unknown))}. "
            f"Its parameters: {', '.join(sorted(valid))}."
        )
    for key in ("prune_layers", "keep_ratios", "accumulate_layers"):
        if isinstance(settings.get(key), list):
            settings[key] = tuple(settings[key])
    if num_layers is None:
        return method(**settings)
    return method.for_depth(num_layers, **settings)
