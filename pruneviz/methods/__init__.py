"""Pruning methods, one file each. A method knows no model: it asks its context."""

from pruneviz.methods.base import Encoded, Merge, Method, Scores, Stage, StageContext
from pruneviz.methods.cdpruner import CDPruner
from pruneviz.methods.chain import Chain
from pruneviz.methods.compute import OutOfReachError, at_compute
from pruneviz.methods.controls import Downsample, Grid, Random, Uniform
from pruneviz.methods.divprune import DivPrune
from pruneviz.methods.fastv import FastV
from pruneviz.methods.fopru import FoPru
from pruneviz.methods.pinned import Pinned
from pruneviz.methods.prumerge import PruMerge, PruMergePlus
from pruneviz.methods.pyramiddrop import PyramidDrop
from pruneviz.methods.registry import get_method, list_methods
from pruneviz.methods.resprune import ResPrune
from pruneviz.methods.sparsevlm import SparseVLM
from pruneviz.methods.spending import Spending, spending, stage_counts
from pruneviz.methods.tome import ToMe
from pruneviz.methods.transprune import TransPrune
from pruneviz.methods.visionzip import VisionZip
from pruneviz.methods.vispruner import VisPruner

__all__ = [
    "CDPruner",
    "Chain",
    "DivPrune",
    "Downsample",
    "Encoded",
    "FastV",
    "FoPru",
    "Grid",
    "Merge",
    "Method",
    "OutOfReachError",
    "Pinned",
    "PruMerge",
    "PruMergePlus",
    "PyramidDrop",
    "Random",
    "ResPrune",
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
    "at_compute",
    "get_method",
    "list_methods",
    "spending",
    "stage_counts",
]
