"""Pruning methods, one file each. A method knows no model: it asks its context."""

from pruneviz.methods.base import (
    ALIVE,
    BUDGET,
    HEADS,
    BeforeLLM,
    Card,
    Choice,
    Encoded,
    Formula,
    Host,
    Merge,
    Method,
    Needs,
    Option,
    Range,
    ScheduledMethod,
    Scores,
    Stage,
    StageContext,
    Whole,
)
from pruneviz.methods.cdpruner import CDPruner
from pruneviz.methods.chain import Chain
from pruneviz.methods.compute import OutOfReachError, at_compute
from pruneviz.methods.dart import DART
from pruneviz.methods.divprune import DivPrune
from pruneviz.methods.downsample import Downsample
from pruneviz.methods.fastv import FastV
from pruneviz.methods.files import load_methods, own_fault
from pruneviz.methods.fopru import FoPru
from pruneviz.methods.grid import Grid
from pruneviz.methods.hiprune import HiPrune
from pruneviz.methods.holov import HoloV
from pruneviz.methods.mmtok import MMTok
from pruneviz.methods.pinned import Pinned
from pruneviz.methods.prumerge import PruMerge, PruMergePlus
from pruneviz.methods.pyramiddrop import PyramidDrop
from pruneviz.methods.random_subset import Random
from pruneviz.methods.registry import get_method, list_methods, register, unregister
from pruneviz.methods.resprune import ResPrune
from pruneviz.methods.scope import SCOPE
from pruneviz.methods.sparsevlm import SparseVLM
from pruneviz.methods.spending import Spending, spending, stage_counts
from pruneviz.methods.tome import ToMe
from pruneviz.methods.transprune import TransPrune
from pruneviz.methods.uniform import Uniform
from pruneviz.methods.visionzip import VisionZip
from pruneviz.methods.vispruner import VisPruner

__all__ = [
    "ALIVE",
    "BUDGET",
    "DART",
    "HEADS",
    "SCOPE",
    "BeforeLLM",
    "CDPruner",
    "Card",
    "Chain",
    "Choice",
    "DivPrune",
    "Downsample",
    "Encoded",
    "FastV",
    "FoPru",
    "Formula",
    "Grid",
    "HiPrune",
    "HoloV",
    "Host",
    "MMTok",
    "Merge",
    "Method",
    "Needs",
    "Option",
    "OutOfReachError",
    "Pinned",
    "PruMerge",
    "PruMergePlus",
    "PyramidDrop",
    "Random",
    "Range",
    "ResPrune",
    "ScheduledMethod",
    "Scores",
    "SparseVLM",
    "Spending",
    "Stage",
    "StageContext",
    "ToMe",
    "TransPrune",
    "Uniform",
    "VisPruner",
    "VisionZip",
    "Whole",
    "at_compute",
    "get_method",
    "list_methods",
    "load_methods",
    "own_fault",
    "register",
    "spending",
    "stage_counts",
    "unregister",
]
