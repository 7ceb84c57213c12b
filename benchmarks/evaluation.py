"""What an evaluation takes: seconds, forward passes of the decoder, tokens times layers.

``python -m benchmarks.evaluation`` asks 200 built-in questions without pruning and under six
methods at six budgets on the embedded model; ``--batch 1`` asks them one by one.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Before the hub client is imported: it reads this once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers

from benchmarks.counting import counted
from pruneviz import load_model
from pruneviz.engine import Budget, Session, Settings
from pruneviz.evaluation.asking import MOST, Asker
from pruneviz.evaluation.data import load_cases
from pruneviz.evaluation.identity import how_of
from pruneviz.evaluation.log import Log
from pruneviz.evaluation.plan import Plan, arms_of
from pruneviz.evaluation.runner import evaluate

logger = logging.getLogger("benchmarks.evaluation")
METHODS = ("transprune", "resprune", "fopru", "fastv", "divprune", "random")
RATIOS = (0.5, 0.25, 0.125, 0.0625, 0.03, 0.02)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__)
    parser.add_argument("--data", default="scenes:200")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="NAME")
    parser.add_argument("--ratios", nargs="+", type=float, default=RATIOS, metavar="RATIO")
    parser.add_argument("--seeds", type=int, default=1, help="draws of random (1)")
    parser.add_argument("--batch", type=int, default=MOST, help=f"questions at once ({MOST})")
    options = parser.parse_args(arguments)
    transformers.utils.logging.disable_progress_bar()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    session, settings = Session(load_model()), Settings(signals=False)
    budgets = [Budget(ratio) for ratio in options.ratios]
    arms = arms_of(options.methods, budgets, controls=False, seeds=options.seeds)
    decoder = session.loaded.adapter.decoder(session.loaded.model)
    wall, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, Log.opened(Path(folder)) as log:
        plan = Plan(load_cases(options.data), arms, how_of(session, settings))
        with counted(decoder) as work:
            *_, last = evaluate(plan, log, Asker(session, settings, options.batch).ask)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    logger.info(
        "%s, batches of %d, %d threads", options.data, options.batch, torch.get_num_threads()
    )
    logger.info("rows             %10d, %d with an error", last.done, last.errors)
    logger.info("forward passes   %10d", work.passes)
    logger.info("tokens x layers  %10d", work.token_layers)
    logger.info("seconds          %10.1f (processor %.1f)", wall, processor)
    logger.info("rows a second    %10.1f", last.done / wall)
    return 0


if __name__ == "__main__":
    sys.exit(main())
