"""Options that the page and the command line have in common."""

from __future__ import annotations

import argparse

from pruneviz.methods.base import POSITIONS
from pruneviz.models.core.loading import DTYPES
from pruneviz.pruning import NEWLINES


def add_loading_arguments(parser: argparse.ArgumentParser) -> None:
    """Where a model runs, in which form, and how its tokens are counted."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--dtype", default="auto", choices=DTYPES)
    parser.add_argument("--quantisation", choices=("4bit", "8bit"), help="CUDA only")
    parser.add_argument(
        "--newlines",
        default="visual",
        choices=NEWLINES,
        help="newlines between LLaVA-NeXT's tiles: counted and prunable (visual), or kept (text)",
    )
    parser.add_argument(
        "--positions",
        choices=POSITIONS,
        help="positions of the kept tokens: without gaps (renumber) or their own (keep); default: "
        "as the method was published",
    )
