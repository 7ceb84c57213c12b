"""Removing visual tokens from a running model, by forward hooks alone."""

from pruneviz.pruning.api import Run, observe, prune

__all__ = ["Run", "observe", "prune"]
