"""Removing visual tokens from a running model, by forward hooks alone.

`api` describes a run (`spec`, `policy`). Its `hooks` bring what the model does to the `runner`,
which has it answered by one pass at a time: a `prefill`, which chooses (`chooser`, `context`) and
records (`observer`), or a `decode` step. What the prompt is (`prompt`) and what became of it
(`frames`, `state`) outlive the passes; `report` makes traces of them.
"""

from pruneviz.pruning.api import NEWLINES, Run, check_reading, observe, prune
from pruneviz.pruning.giveback import best_dropped, give_back
from pruneviz.pruning.host import host_of

__all__ = [
    "NEWLINES",
    "Run",
    "best_dropped",
    "check_reading",
    "give_back",
    "host_of",
    "observe",
    "prune",
]
