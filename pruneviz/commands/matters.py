"""``pruneviz matters``: which patches the answer hangs on, and what a method makes of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pruneviz.commands.arguments import whole
from pruneviz.commands.question import add_question_arguments, start
from pruneviz.engine import (
    Comparison,
    Effects,
    Prepared,
    Restored,
    Session,
    Settings,
    final_count,
    judge,
    random_band,
    restore,
    what_giving_back_does,
    what_matters,
    without_image,
)
from pruneviz.engine.matters import MAX_FORWARDS
from pruneviz.engine.matters.judging import TOP
from pruneviz.errors import InputError
from pruneviz.export_effects import Findings, write_effects
from pruneviz.methods import Method

PURPOSE = (
    "Take every patch, or block of patches, away from all layers of the unpruned model and measure "
    "how far the log-probability of its answer falls; give every dropped one back to the pruned "
    "model and measure how far it rises. Beside it: what the method thinks of the patches, which "
    "ones restore the answer, the answer without an image, and ten random choices of as many."
)


def add(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "matters", help="which patches an answer hangs on", description=PURPOSE
    )
    add_question_arguments(parser)
    parser.add_argument(
        "--block", type=whole, help="patches along a block's side; default: the finest allowed"
    )
    parser.add_argument(
        "--max-forwards",
        type=whole,
        default=MAX_FORWARDS,
        help=f"most blocks that are tried in each direction ({MAX_FORWARDS})",
    )
    parser.add_argument("--top", type=whole, default=TOP, help=f"patches that matter most ({TOP})")
    parser.add_argument("--out", type=Path, help="folder for maps, table and record")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, say what was found and, with ``--out``, write it."""
    if args.top < 1:
        raise InputError(f"--top must be at least 1, not {args.top}.")
    session, method, prepared = start(args)
    if not method.stages():
        raise InputError(f"{method.title} prunes nothing here.")
    done = session.compare(prepared, method, Settings(signals=False))
    bounds = {"block": args.block, "max_forwards": args.max_forwards}
    positions = args.positions or "keep"
    taken = _last(what_matters(session, prepared, positions=positions, **bounds), "taken away")
    judgement = judge(taken, done.pruned.trace, k=args.top, title=done.pruned.label)
    given = _given(session, prepared, method, done, bounds)
    lost = done.fidelity is not None and not done.fidelity.exact_match
    restored: Restored | None = None
    if given is not None and lost:
        *_, restored = restore(session, prepared, method, given)
    *_, band = random_band(session, prepared, final_count(done))
    blind = without_image(session, prepared)
    found = Findings(done, taken, judgement, given, restored, blind, band)
    sys.stdout.write("\n".join(summary(found)) + "\n")
    if args.out is not None:
        files = write_effects(args.out, prepared.image, found)
        sys.stdout.write("Written: " + ", ".join(str(file) for file in files) + "\n")
    return 0


def summary(found: Findings) -> Iterator[str]:
    """What was found, in lines of text."""
    done, judgement = found.done, found.judgement
    yield f"Baseline: {done.baseline.text}"
    yield f"{done.pruned.label}: {done.pruned.text}"
    yield judgement.sentence
    correlation = judgement.correlation
    told = "none can be told" if correlation is None else f"{correlation:+.2f}"
    yield f"Rank correlation of {judgement.opinion} with what matters: {told}"
    if judgement.favourites:
        yield (
            f"Of its own {len(judgement.top)} best-scored, {len(judgement.shared)} are among those "
            "that matter most"
        )
    if found.restored is not None:
        tokens = found.restored.tokens
        back = "none found" if tokens is None else f"{len(tokens)} patches ({_listed(tokens)})"
        yield f"Given back, these restore the answer: {back}"
    if found.band is not None and done.fidelity is not None:
        yield found.band.sentence(done.fidelity, done.pruned.label)
    if found.blind is not None:
        same = "the same answer" if found.blind.same else found.blind.text
        yield f"Without any image: {same}"


def _given(
    session: Session,
    prepared: Prepared,
    method: Method,
    done: Comparison,
    bounds: dict[str, Any],
) -> Effects | None:
    """The map of giving back; None, with the reason written, where there can be none."""
    try:
        running = what_giving_back_does(session, prepared, method, done.pruned.trace, **bounds)
        return _last(running, "given back")
    except InputError as error:
        sys.stderr.write(f"Nothing is given back: {error}\n")
        return None


def _last(running: Iterator[Effects], what: str) -> Effects:
    for found in running:
        sys.stderr.write(f"\r{found.done} of {len(found.blocks)} blocks {what} ")
    sys.stderr.write("\n")
    return found


def _listed(tokens: tuple[int, ...]) -> str:
    return " ".join(map(str, tokens))
