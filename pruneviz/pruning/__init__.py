"""Removing visual tokens from a running model, by forward hooks alone."""

from pruneviz.pruning.api import Run, observe, prune
from pruneviz.pruning.giveback import best_dropped, give_back

__all__ = ["Run", "best_dropped", "give_back", "observe", "prune"]
