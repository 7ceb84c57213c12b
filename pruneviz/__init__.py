"""PruneViz: see, measure and use visual-token pruning for vision-language models."""

from pruneviz.methods import (
    CDPruner,
    Chain,
    DivPrune,
    Downsample,
    FastV,
    FoPru,
    Grid,
    Pinned,
    PruMerge,
    PruMergePlus,
    PyramidDrop,
    Random,
    ResPrune,
    SparseVLM,
    ToMe,
    TransPrune,
    Uniform,
    VisionZip,
    VisPruner,
    get_method,
    list_methods,
)
from pruneviz.models import LoadedModel, load_model
from pruneviz.pruning import Run, best_dropped, give_back, observe, prune
from pruneviz.trace import StageTrace, Trace

__version__ = "0.1.0"

__all__ = [
    "CDPruner",
    "Chain",
    "DivPrune",
    "Downsample",
    "FastV",
    "FoPru",
    "Grid",
    "LoadedModel",
    "Pinned",
    "PruMerge",
    "PruMergePlus",
    "PyramidDrop",
    "Random",
    "ResPrune",
    "Run",
    "SparseVLM",
    "StageTrace",
    "ToMe",
    "Trace",
    "TransPrune",
    "Uniform",
    "VisPruner",
    "VisionZip",
    "best_dropped",
    "get_method",
    "give_back",
    "list_methods",
    "load_model",
    "observe",
    "prune",
]
