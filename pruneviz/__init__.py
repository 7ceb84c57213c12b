"""PruneViz: see, measure and use visual-token pruning for vision-language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pruneviz.methods import (
        DART,
        SCOPE,
        CDPruner,
        Chain,
        DivPrune,
        Downsample,
        FastV,
        FoPru,
        Grid,
        HiPrune,
        HoloV,
        MMTok,
        Pinned,
        PruMerge,
        PruMergePlus,
        PyramidDrop,
        Random,
        ResPrune,
        SparseVLM,
        Spending,
        ToMe,
        TransPrune,
        Uniform,
        VisionZip,
        VisPruner,
        at_compute,
        get_method,
        list_methods,
        spending,
    )
    from pruneviz.models import LoadedModel, load_model
    from pruneviz.pruning import Run, best_dropped, give_back, observe, prune
    from pruneviz.trace import StageTrace, Trace

__version__ = "0.1.0"

__all__ = [
    "DART",
    "SCOPE",
    "CDPruner",
    "Chain",
    "DivPrune",
    "Downsample",
    "FastV",
    "FoPru",
    "Grid",
    "HiPrune",
    "HoloV",
    "LoadedModel",
    "MMTok",
    "Pinned",
    "PruMerge",
    "PruMergePlus",
    "PyramidDrop",
    "Random",
    "ResPrune",
    "Run",
    "SparseVLM",
    "Spending",
    "StageTrace",
    "ToMe",
    "Trace",
    "TransPrune",
    "Uniform",
    "VisPruner",
    "VisionZip",
    "at_compute",
    "best_dropped",
    "get_method",
    "give_back",
    "list_methods",
    "load_model",
    "observe",
    "prune",
    "spending",
]

_HOMES = ("methods", "models", "pruning", "trace")


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: torch and transformers take seconds.

    So a program can say something, and hear Ctrl+C, before it has them.
    """
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    if name in __all__:
        for home in _HOMES:
            if hasattr(module := import_module(f"{__name__}.{home}"), name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
