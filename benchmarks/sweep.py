"""What a sweep takes: forward passes of the decoder, tokens times layers, and seconds.

``python -m benchmarks.sweep`` runs the page's default sweep on the embedded model, or any other.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence

# Before the hub client is imported: it reads this once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers

from benchmarks.counting import counted
from pruneviz import load_model
from pruneviz.engine import RATIOS, Session, sweep
from pruneviz.ui.inputs.examples import load_examples
from pruneviz.ui.shared.methods import compared

logger = logging.getLogger("benchmarks.sweep")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--model", default="embedded", help="a folder, or a hub id at hand")
    parser.add_argument("--methods", nargs="+", default=compared(), metavar="NAME")
    parser.add_argument("--ratios", nargs="+", type=float, default=RATIOS, metavar="RATIO")
    parser.add_argument("--image", help="a file; default: the first example")
    parser.add_argument("--question", help="default: the example's first")
    options = parser.parse_args(arguments)
    transformers.utils.logging.disable_progress_bar()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    example = load_examples()[0]
    session = Session(load_model(options.model))
    prepared = session.prepare(
        options.image or example.image, options.question or example.questions[0]
    )
    decoder = session.loaded.adapter.decoder(session.loaded.model)
    start = time.perf_counter()
    with counted(decoder) as work:
        *_, last = sweep(session, prepared, options.methods, options.ratios)
    seconds = time.perf_counter() - start
    logger.info("%s, %r: %d runs", options.model, prepared.question, last.done)
    logger.info("forward passes   %10d", work.passes)
    logger.info("tokens x layers  %10d", work.token_layers)
    logger.info("seconds          %10.1f", seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
