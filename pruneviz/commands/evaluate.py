"""``pruneviz evaluate``: how much can be pruned, on many questions."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from pruneviz.commands.arguments import add_model_arguments, read_setting, whole
from pruneviz.commands.asking import add_asking_arguments, asking
from pruneviz.commands.official import merge_results
from pruneviz.engine import Budget, Settings
from pruneviz.engine.budgets import Kind
from pruneviz.errors import InputError
from pruneviz.evaluation.asking import MOST
from pruneviz.evaluation.builtin import SETS
from pruneviz.evaluation.data import load_cases
from pruneviz.evaluation.log import ROWS, Log
from pruneviz.evaluation.plan import SEEDS, Arm, Plan, arms_of
from pruneviz.evaluation.recommending import TOLERANCE, check_tolerance
from pruneviz.evaluation.runner import Progress
from pruneviz.evaluation.scoring import AGREEMENT, AUTO, RULES
from pruneviz.evaluation.wording import duration
from pruneviz.evaluation.writing import write_outcome
from pruneviz.methods import list_methods
from pruneviz.starting import INTERRUPTED

METHODS = ("transprune", "resprune", "fopru", "fastv")
BUDGETS = (0.5, 0.25, 0.125, 0.0625)
PARTS = 20
"""Lines of progress where they do not take one another's place."""
GO_ON = "To go on, run the same command again:"
PURPOSE = (
    "Ask many questions without pruning and under methods at several budgets, score the answers, "
    "and say with its uncertainty how much can be pruned. Every row is logged at once: the same "
    "command goes on where a stopped or killed one ended."
)


def add(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "evaluate", help="how much can be pruned, on many questions", description=PURPOSE
    )
    sets = ", ".join(f"{name}:N[:SEED]" for name in SETS)
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help=f"{sets} (built in), a JSONL or CSV file, or a folder",
    )
    parser.add_argument(
        "--from-lmms",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="in place of DATA: results of lmms-eval (files or folders), merged into one table "
        "against the unpruned run",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="TASK=NAME",
        help="with --from-lmms: the metric of a task, such as pope=pope_f1_score (its first)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for log, tables, report")
    parser.add_argument(
        "--method",
        action="append",
        help=f"may be given several times ({', '.join(METHODS)}); one of "
        f"{', '.join(list_methods())}",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--keep-ratio",
        type=float,
        action="append",
        metavar="SHARE",
        help="share of the visual tokens left after the last stage, up to 1; may be given several "
        f"times ({', '.join(map(str, BUDGETS))})",
    )
    budget.add_argument(
        "--equal-compute",
        type=float,
        action="append",
        metavar="SHARE",
        help="visual tokens averaged over all decoder layers, as a share of all; may be given "
        "several times",
    )
    parser.add_argument(
        "--question", action="append", default=[], help="asked of each picture of a folder"
    )
    parser.add_argument(
        "--scoring",
        default=AUTO,
        choices=(AUTO, *RULES, AGREEMENT),
        help="what makes an answer right; by default choice, yes-no or normalised as the "
        "question has it, and agreement with the unpruned answer where no right one is known",
    )
    parser.add_argument(
        "--tolerance", type=float, default=100 * TOLERANCE, help="points that may be lost (1)"
    )
    parser.add_argument(
        "--no-controls",
        dest="controls",
        action="store_false",
        help="leave out the random and the downsampled picture, which every method should beat",
    )
    parser.add_argument("--seeds", type=whole, default=SEEDS, help=f"draws of random ({SEEDS})")
    parser.add_argument("--batch", type=whole, default=MOST, help=f"questions at once ({MOST})")
    parser.add_argument("--max-new-tokens", type=whole, default=Settings.max_new_tokens)
    parser.add_argument(
        "--retry", action="store_true", help="ask rows again that ended with an error"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of a single method; may be given several times",
    )
    add_model_arguments(parser)
    add_asking_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask what is not in the log, then write what the log says."""
    command = f"pruneviz evaluate {shlex.join(_given(args))}"
    if args.from_lmms is not None:
        if args.data is not None:
            raise InputError("Give DATA or --from-lmms, not both.")
        return merge_results(args.from_lmms, args.metric, args.out, command)
    if args.data is None:
        raise InputError("Say what to ask: DATA, such as scenes:200, or --from-lmms RESULTS.")
    tolerance = check_tolerance(args.tolerance / 100)
    for name, value in (("--batch", args.batch), ("--max-new-tokens", args.max_new_tokens)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, not {value}.")
    arms = _arms(args)
    cases = load_cases(args.data, args.question, args.scoring)
    with Log.opened(args.out) as log:
        try:
            with asking(args) as (how, work):
                plan = Plan(cases, arms, how)
                finished = _follow(work(plan, log), args.out)
        except KeyboardInterrupt:  # while the model was loaded
            sys.stderr.write(f"\nStopped. {GO_ON}\n{command}\n")
            return INTERRUPTED
        if not finished:
            sys.stderr.write(f"{GO_ON}\n{command}\n")
        title = Path(args.data).name
        files, recommended, problems = write_outcome(
            args.out, plan, log.rows, tolerance, title, command
        )
    for line in (*(one.sentence for one in recommended), *problems):
        sys.stdout.write(f"{line}\n")
    written = ", ".join(path.name for path in (args.out / ROWS, *files))
    sys.stdout.write(f"Written to {args.out}: {written}\n")
    return 0 if finished else INTERRUPTED


def _arms(args: argparse.Namespace) -> list[Arm]:
    """Methods and budgets, checked before anything is loaded."""
    kind: Kind = "compute" if args.equal_compute else "final"
    shares = args.equal_compute or args.keep_ratio or BUDGETS
    budgets = [Budget(share, kind) for share in dict.fromkeys(shares)]
    settings = dict(read_setting(text) for text in args.set)
    if "num_layers" in settings:
        raise InputError("num_layers cannot be set: it is the model's number of layers.")
    arms = arms_of(args.method or METHODS, budgets, settings, args.controls, args.seeds)
    for arm in arms:
        arm.check()
    return arms


def _follow(running: Generator[Progress], out: Path) -> bool:
    """Show how far it is; whether it came to its end, and not to Ctrl+C."""
    last: Progress | None = None
    told = -1
    try:
        with closing(running):
            for last in running:
                # At a terminal each line takes the place of the one before.
                part = last.done if sys.stderr.isatty() else PARTS * last.done // last.total
                if part != told:
                    _show(last)
                told = part
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.")
    sys.stderr.write("\n")
    if last is not None and not last.finished:
        sys.stderr.write(f"{last.done:,} of {last.total:,} rows are in {out / ROWS}. ")
    return last is not None and last.finished


def _show(progress: Progress) -> None:
    """Rows, time left and errors in one line."""
    left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
    errors = f", {progress.errors:,} errors" if progress.errors else ""
    share = progress.done / progress.total
    line = f"{progress.done:,} of {progress.total:,} rows ({share:.0%}){left}{errors}"
    bar = "#" * round(20 * share)
    sys.stderr.write(f"\r\033[K[{bar:.<20}] {line}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


def _given(args: argparse.Namespace) -> list[str]:
    """The command's own arguments, as they were typed."""
    typed: list[str] = args.argv
    return typed[typed.index("evaluate") + 1 :]
