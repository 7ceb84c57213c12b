"""``pruneviz compare`` and ``pruneviz sweep``: several methods on one question."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from pruneviz.commands.arguments import add_model_arguments, whole
from pruneviz.commands.question import add_asked_arguments, asked
from pruneviz.engine import (
    RATIOS,
    Budget,
    CompareEvent,
    Prepared,
    Session,
    Settings,
    SideBySide,
    Sweep,
    SweepEvent,
    compare_many,
    sweep,
)
from pruneviz.engine.compare import chosen_methods
from pruneviz.engine.matters import MAX_FORWARDS
from pruneviz.engine.sweeps import check_ratios
from pruneviz.export import model_title
from pruneviz.exports import compared, swept
from pruneviz.exports.files import NAMES, Writer, write_all
from pruneviz.methods import list_methods
from pruneviz.methods.registry import METHODS

SHARE = 0.25
"""Of the visual tokens, where no budget is given."""


def add(commands: Any) -> None:
    """Add both commands to a parser's subparsers."""
    one = _parser(commands, "compare", "several methods under one budget, side by side")
    budget = one.add_mutually_exclusive_group()
    budget.add_argument(
        "--keep-ratio", type=float, help=f"share of the visual tokens left at the end ({SHARE})"
    )
    budget.add_argument(
        "--equal-compute",
        type=float,
        metavar="SHARE",
        help="visual tokens averaged over all decoder layers, as a share of all, up to 1",
    )
    one.add_argument(
        "--matters",
        action="store_true",
        help="measure what matters, once for all methods, and hold each one's scores against it "
        f"(at most {MAX_FORWARDS} forwards)",
    )
    one.set_defaults(run=run_compare)
    many = _parser(commands, "sweep", "several methods over keep ratios, and their break points")
    shown = " ".join(f"{ratio:g}" for ratio in RATIOS)
    many.add_argument(
        "--keep-ratio",
        type=float,
        action="append",
        help=f"may be given several times ({shown})",
    )
    many.set_defaults(run=run_sweep)


def _parser(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose)
    add_asked_arguments(parser)
    usual = ", ".join(name for name, cls in METHODS.items() if cls.card.compared)
    parser.add_argument(
        "--method",
        action="append",
        help=f"may be given several times ({usual}); of {', '.join(list_methods())}",
    )
    parser.add_argument("--max-new-tokens", type=whole, default=Settings.max_new_tokens)
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, help=f"folder for {', '.join(NAMES)}")
    return parser


def run_compare(args: argparse.Namespace) -> int:
    """Run every method under the budget, say what came of each, and write the files."""
    share, kind = args.equal_compute, "compute"
    if share is None:
        share, kind = SHARE if args.keep_ratio is None else args.keep_ratio, "final"
    budget = Budget(share, kind)  # type: ignore[arg-type]
    names = _methods(args)
    session, prepared, how = _start(args)
    with closing(compare_many(session, prepared, names, budget, how, args.matters)) as events:
        result = _followed(events)
    sys.stdout.write(compare_text(result))
    _write(args, compared.write, result, prepared)
    return 0


def run_sweep(args: argparse.Namespace) -> int:
    """Run every method over the ratios, say where each breaks, and write the files."""
    ratios = check_ratios(args.keep_ratio or list(RATIOS))
    names = _methods(args)
    session, prepared, how = _start(args)
    with closing(sweep(session, prepared, names, ratios, how)) as events:
        result = _followed(events)
    sys.stdout.write(sweep_text(result))
    _write(args, swept.write, result, prepared)
    return 0


def compare_text(result: SideBySide) -> str:
    """A line for every method."""
    lines = [f"Baseline: {result.baseline.text}"] if result.baseline else []
    for outcome in result.outcomes:
        done = outcome.comparison
        if done is None:
            lines.append(f"{outcome.title}: {outcome.problem}")
            continue
        a, b = done.baseline.cost, done.pruned.cost
        same = done.fidelity is not None and done.fidelity.exact_match
        lines.append(
            f"{outcome.title}: {'=' if same else '≠'} {done.pruned.text} "
            f"({b.final_tokens} left, layer average {b.layer_average:.1f}, true FLOPs "
            f"{b.total_flops / a.total_flops:.1%}, papers' {b.paper_tflops / a.paper_tflops:.1%})"
            f"{_judged(result, outcome.name)}"
        )
    return "\n".join(lines) + "\n"


def _judged(result: SideBySide, name: str) -> str:
    """How far a method's opinion agrees with what matters, where that was measured."""
    found = result.judgement_of(name)
    if found is None:
        return ""
    known = "none" if found.correlation is None else f"{found.correlation:+.2f}"
    own = f", {len(found.shared)} of {len(found.top)} top blocks" if found.favourites else ""
    return f"; rank correlation of {found.opinion} with what matters {known}{own}"


def sweep_text(result: Sweep) -> str:
    """A line for every method: its break point and what is computed there."""
    lines = [f"Baseline: {result.baseline.text}"] if result.baseline else []
    for curve in result.curves:
        found, at = curve.break_point, curve.at_break
        if found is None:
            continue
        average = at.layer_average if at else result.num_visual
        lines.append(
            f"{curve.title}: the baseline's answer from {found.kept} of {result.num_visual} "
            f"visual tokens up, at a layer average of {average / result.num_visual:.1%}"
        )
    for band in result.chance:
        lines.append(f"Chance: {band.same} of {band.draws} random draws give it at {band.kept}")
    return "\n".join(lines) + "\n"


def _methods(args: argparse.Namespace) -> list[str]:
    if args.max_new_tokens < 1:
        raise ValueError(f"--max-new-tokens must be at least 1, not {args.max_new_tokens}.")
    usual = [name for name, cls in METHODS.items() if cls.card.compared]
    return chosen_methods(args.method or usual)


def _start(args: argparse.Namespace) -> tuple[Session, Prepared, Settings]:
    session, prepared = asked(args)
    return session, prepared, Settings(max_new_tokens=args.max_new_tokens, signals=False)


def _followed(events: Generator[CompareEvent] | Generator[SweepEvent]) -> Any:
    """Take a run to its end; returns what it ended with."""
    result = None
    for event in events:
        result = event.result or result
    return result


def _write(args: argparse.Namespace, write: Writer, result: Any, prepared: Prepared) -> None:
    if args.out is None:
        return
    model = model_title(args.model)
    files = write_all(write, args.out, result, model, prepared.image, prepared.grid)
    sys.stdout.write("Written: " + ", ".join(str(file) for file in files) + "\n")
