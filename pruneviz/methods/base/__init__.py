"""What a pruning method is made of: its card, what it asks, what it answers, how it decides."""

from pruneviz.methods.base.before_llm import BeforeLLM
from pruneviz.methods.base.card import (
    ALIVE,
    BUDGET,
    HEADS,
    Card,
    Choice,
    Formula,
    Option,
    Range,
    Whole,
    slashed,
)
from pruneviz.methods.base.checks import (
    LARGEST,
    MOST_LAYERS,
    as_tuple,
    check_budget,
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_ratio,
    check_whole,
)
from pruneviz.methods.base.context import Encoded, NoQueryError, StageContext, Text
from pruneviz.methods.base.host import Host
from pruneviz.methods.base.method import POSITIONS, Method, Positions, Stage
from pruneviz.methods.base.needs import Needs, TransitionSpec
from pruneviz.methods.base.schedule import ScheduledMethod
from pruneviz.methods.base.scores import Merge, Scores
from pruneviz.methods.base.wrapper import Wrapper

__all__ = [
    "ALIVE",
    "BUDGET",
    "HEADS",
    "LARGEST",
    "MOST_LAYERS",
    "POSITIONS",
    "BeforeLLM",
    "Card",
    "Choice",
    "Encoded",
    "Formula",
    "Host",
    "Merge",
    "Method",
    "Needs",
    "NoQueryError",
    "Option",
    "Positions",
    "Range",
    "ScheduledMethod",
    "Scores",
    "Stage",
    "StageContext",
    "Text",
    "TransitionSpec",
    "Whole",
    "Wrapper",
    "as_tuple",
    "check_budget",
    "check_choice",
    "check_count",
    "check_flag",
    "check_number",
    "check_ratio",
    "check_whole",
    "slashed",
]
