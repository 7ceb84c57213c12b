"""What matters to an answer, measured by intervention: patches taken away and given back."""

from pruneviz.engine.matters.blocks import SIDES, Block, blocks_of
from pruneviz.engine.matters.effects import Effects
from pruneviz.engine.matters.judging import Judgement, judge
from pruneviz.engine.matters.maps import MAX_FORWARDS, what_giving_back_does, what_matters
from pruneviz.engine.matters.remembering import remembered_map
from pruneviz.engine.matters.restoring import Restored, restore

__all__ = [
    "MAX_FORWARDS",
    "SIDES",
    "Block",
    "Effects",
    "Judgement",
    "Restored",
    "blocks_of",
    "judge",
    "remembered_map",
    "restore",
    "what_giving_back_does",
    "what_matters",
]
