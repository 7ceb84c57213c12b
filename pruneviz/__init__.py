"""PruneViz: see, measure and use visual-token pruning for vision-language models."""

from pruneviz.methods import (
    CDPruner,
    Chain,
    DivPrune,
    FastV,
    FoPru,
    Pinned,
    PyramidDrop,
    Random,
    ResPrune,
    SparseVLM,
    Spending,
    TransPrune,
    Uniform,
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
    "CDPruner",
    "Chain",
    "DivPrune",
    "FastV",
    "FoPru",
    "LoadedModel",
    "Pinned",
    "PyramidDrop",
    "Random",
    "ResPrune",
    "Run",
    "SparseVLM",
    "Spending",
    "StageTrace",
    "Trace",
    "TransPrune",
    "Uniform",
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
