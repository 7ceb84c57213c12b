"""Ask a model with and without pruning, and say honestly what it changed and what it cost."""

from pruneviz.engine.budgets import Budget
from pruneviz.engine.compare import compare_many
from pruneviz.engine.controls import Band, Blind, final_count, random_band, without_image
from pruneviz.engine.curves import Curve, Sweep, SweepEvent
from pruneviz.engine.images import picture_key, read_image
from pruneviz.engine.live import LIVE_RATIOS, LiveAnswer, Ticks, ladder, live_answers, ticks
from pruneviz.engine.looking import Looks, where_it_looks
from pruneviz.engine.matters import (
    Effects,
    Judgement,
    Restored,
    judge,
    restore,
    what_giving_back_does,
    what_matters,
)
from pruneviz.engine.outlook import Outlook, Placement
from pruneviz.engine.prepared import Prepared, tidied
from pruneviz.engine.results import Answer, Comparison, Event, Settings, Times
from pruneviz.engine.session import Session
from pruneviz.engine.shelf import Shelf
from pruneviz.engine.sidebyside import CompareEvent, Outcome, SideBySide
from pruneviz.engine.sweeps import RATIOS, sweep

__all__ = [
    "LIVE_RATIOS",
    "RATIOS",
    "Answer",
    "Band",
    "Blind",
    "Budget",
    "CompareEvent",
    "Comparison",
    "Curve",
    "Effects",
    "Event",
    "Judgement",
    "LiveAnswer",
    "Looks",
    "Outcome",
    "Outlook",
    "Placement",
    "Prepared",
    "Restored",
    "Session",
    "Settings",
    "Shelf",
    "SideBySide",
    "Sweep",
    "SweepEvent",
    "Ticks",
    "Times",
    "compare_many",
    "final_count",
    "judge",
    "ladder",
    "live_answers",
    "picture_key",
    "random_band",
    "read_image",
    "restore",
    "sweep",
    "ticks",
    "tidied",
    "what_giving_back_does",
    "what_matters",
    "where_it_looks",
    "without_image",
]
