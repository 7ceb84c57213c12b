"""Where an evaluation's model runs: in this process, or in workers on a Ray cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

from pruneviz.commands.arguments import whole
from pruneviz.commands.question import load_session
from pruneviz.engine import Settings
from pruneviz.errors import InputError
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.crew import crew_on
from pruneviz.evaluation.identity import how_of
from pruneviz.evaluation.log import Log
from pruneviz.evaluation.plan import How, Plan
from pruneviz.evaluation.runner import Progress, evaluate
from pruneviz.evaluation.worker import Job

Work = Callable[[Plan, Log], Generator[Progress]]
"""Works a plan off into a log."""


def add_asking_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who asks."""
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="ask on a Ray cluster, into the same log: auto (the cluster that runs here, else one "
        "is started on this machine), local (always start one) or HOST:PORT of its head; needs "
        'pip install "pruneviz[ray]" on every machine',
    )
    parser.add_argument(
        "--workers",
        type=whole,
        metavar="N",
        help="with --ray: processes that each hold the model (one for each GPU; without GPUs one "
        "for each machine)",
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=float,
        metavar="GPUS",
        help="with --ray: 1, 0, or such as 0.5, where two share one (1 if the cluster has any)",
    )


@contextmanager
def asking(args: argparse.Namespace) -> Iterator[tuple[How, Work]]:
    """How the model is run, and what works a plan off on it, until the block ends."""
    if args.ray is None:
        for name, value in (("workers", args.workers), ("gpus-per-worker", args.gpus_per_worker)):
            if value is not None:
                raise InputError(f"--{name} goes with --ray.")
        session = load_session(args)
        settings = Settings(max_new_tokens=args.max_new_tokens, signals=False)
        asker = Asker(session, settings, args.batch)
        yield how_of(session, settings), partial(evaluate, ask=asker.ask, retry=args.retry)
        return
    fields = ("model", "device", "dtype", "quantisation", "newlines", "positions")
    known = {name: getattr(args, name) for name in (*fields, "max_new_tokens", "batch")}
    with crew_on(args.ray, Job(**known), args.workers, args.gpus_per_worker) as workers:
        sys.stderr.write(f"Ray: {workers.share.title}; they load the model.\n")
        yield workers.wait(), partial(workers.work, retry=args.retry)
