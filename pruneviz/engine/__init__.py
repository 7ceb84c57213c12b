"""Ask a model with and without pruning, and say honestly what it changed and what it cost."""

from pruneviz.engine.budgets import Budget
from pruneviz.engine.compare import compare_many
from pruneviz.engine.curves import Curve, Sweep, SweepEvent
from pruneviz.engine.images import picture_key, read_image
from pruneviz.engine.outlook import Outlook, Placement
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Comparison, Event, Settings, Times
from pruneviz.engine.session import Session
from pruneviz.engine.shelf import Shelf
from pruneviz.engine.sidebyside import CompareEvent, Outcome, SideBySide
from pruneviz.engine.sweeps import RATIOS, sweep

__all__ = [
    "RATIOS",
    "Answer",
    "Budget",
    "CompareEvent",
    "Comparison",
    "Curve",
    "Event",
    "Outcome",
    "Outlook",
    "Placement",
    "Prepared",
    "Session",
    "Settings",
    "Shelf",
    "SideBySide",
    "Sweep",
    "SweepEvent",
    "Times",
    "compare_many",
    "picture_key",
    "read_image",
    "sweep",
]
