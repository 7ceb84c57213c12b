"""PruneViz: see, measure and use visual-token pruning for vision-language models."""

from pruneviz.methods import (
    Chain,
    FastV,
    FoPru,
    PyramidDrop,
    Random,
    ResPrune,
    TransPrune,
    Uniform,
    get_method,
    list_methods,
)
from pruneviz.models import LoadedModel, load_model
from pruneviz.pruning import Run, observe, prune
from pruneviz.trace import StageTrace, Trace

__version__ = "0.1.0"

__all__ = [
    "Chain",
    "FastV",
    "FoPru",
    "LoadedModel",
    "PyramidDrop",
    "Random",
    "ResPrune",
    "Run",
    "StageTrace",
    "Trace",
    "TransPrune",
    "Uniform",
    "get_method",
    "list_methods",
    "load_model",
    "observe",
    "prune",
]
