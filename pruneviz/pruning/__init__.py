"""Removing visual tokens from a running model, by forward hooks alone."""

from pruneviz.pruning.api import NEWLINES, Run, check_reading, observe, prune
from pruneviz.pruning.giveback import best_dropped, give_back

__all__ = ["NEWLINES", "Run", "best_dropped", "check_reading", "give_back", "observe", "prune"]
