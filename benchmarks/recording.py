"""What recording TTV, IGA and residual in every layer adds to a prefill in time.

``python -m benchmarks.recording`` runs the prefill of a model of random weights without and with
recording in turn, and reports the median of the paired ratios. On CUDA `--device cuda`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from statistics import quantiles

import torch

from pruneviz import observe
from pruneviz.engine.bench import GEOMETRIES, Subject, from_geometry
from pruneviz.engine.bench.timing import timed

logger = logging.getLogger("benchmarks.recording")
SIGNALS = ("ttv", "iga", "residual")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--geometry", default="llava-1.5-7b", choices=list(GEOMETRIES))
    parser.add_argument("--layers", type=int, help="build only so many decoder layers")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    subject = from_geometry(options.geometry, options.device, layers=options.layers)
    report(subject, options.batch, options.rounds)
    return 0


@torch.no_grad()
def report(subject: Subject, rows: int, rounds: int) -> None:
    """Time both in turn and say the ratio with its quartiles."""
    inputs = subject.batch(rows)

    def prefill() -> None:
        subject.model(**inputs, use_cache=True, logits_to_keep=1)

    def recorded() -> None:
        with observe(subject.model, record=SIGNALS):
            prefill()

    pairs = [
        tuple(timed(subject.device, run)[0] for run in (prefill, recorded))
        for _ in range(rounds + 2)
    ][2:]  # the first two warm up
    low, middle, high = quantiles([after / before for before, after in pairs], n=4)
    fastest = min(before for before, _ in pairs)
    logger.info(
        "%s, batch %d, %d tokens: prefill %.1f ms; recorded %.2f (%.2f to %.2f) of it",
        *(subject.title, rows, subject.length, 1000 * fastest, middle, low, high),
    )


if __name__ == "__main__":
    sys.exit(main())
