"""Ask a model with and without pruning, and say honestly what it changed and what it cost."""

from pruneviz.engine.images import read_image
from pruneviz.engine.results import Answer, Comparison, Event, Settings, Times
from pruneviz.engine.session import Prepared, Session

__all__ = [
    "Answer",
    "Comparison",
    "Event",
    "Prepared",
    "Session",
    "Settings",
    "Times",
    "read_image",
]
