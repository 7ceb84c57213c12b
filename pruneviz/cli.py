"""The command line: ask with and without pruning, measure it, plan a budget, serve the page."""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from pruneviz import __version__, serving
from pruneviz.commands import bench, evaluate, matters, several
from pruneviz.commands.arguments import add_budget_arguments, build, whole
from pruneviz.commands.question import add_question_arguments, start
from pruneviz.engine import Comparison, Settings
from pruneviz.errors import PruneVizError, told
from pruneviz.export import model_title, write_results
from pruneviz.methods import OutOfReachError, Spending, list_methods, spending
from pruneviz.methods.registry import METHODS
from pruneviz.starting import INTERRUPTED

LOGGING = {"level": logging.WARNING, "format": "%(levelname)s %(name)s: %(message)s"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 Ctrl+C."""
    parser = build_parser()
    args = parser.parse_args(argv)
    args.argv = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(**args.logging)
    try:
        return int(args.run(args))
    except (PruneVizError, ValueError) as error:
        sys.stderr.write(f"pruneviz: {told(error)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"pruneviz: cannot write the results: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\npruneviz: stopped.\n")
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """Says what to do about a question that looks like an option."""

    def error(self, message: str) -> NoReturn:
        """Write usage and message, and exit with status 2."""
        if "required: " in message and "question" in message:
            message += " (a question that begins with a dash goes last, after ' -- ')"
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = Parser(prog="pruneviz", description=__doc__)
    parser.set_defaults(logging=LOGGING)
    parser.add_argument("--version", action="version", version=versions())
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("ask", help="answer a question with and without pruning")
    add_question_arguments(ask)
    ask.add_argument("--max-new-tokens", type=whole, default=Settings.max_new_tokens)
    ask.add_argument("--out", type=Path, help="folder for answers, traces and figures")
    ask.set_defaults(run=run_ask)
    matters.add(commands)
    bench.add(commands)
    several.add(commands)
    evaluate.add(commands)
    methods = commands.add_parser("methods", help="list the pruning methods, or describe some")
    methods.add_argument("name", nargs="*", help="describe these, with what --set takes")
    methods.set_defaults(run=run_methods)
    plan = commands.add_parser("plan", help="what every method spends on a budget; runs no model")
    plan.add_argument("--method", action="append", help="only this one; may be given several times")
    add_budget_arguments(plan)
    plan.add_argument("--visual-tokens", type=whole, default=576, help="of the prompt (576)")
    plan.add_argument("--layers", type=whole, default=32, help="decoder layers of the model (32)")
    plan.set_defaults(run=run_plan)
    serve = commands.add_parser("serve", help="start the page", description=serving.PURPOSE)
    serving.add_arguments(serve)
    serve.set_defaults(run=serving.serve, logging=serving.LOGGING)
    return parser


def versions() -> str:
    """What runs here, as a report of a fault should name it."""
    beside = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    return f"pruneviz {__version__} ({beside}, Python {platform.python_version()})"


def run_methods(args: argparse.Namespace) -> int:
    """Write name, title and summary of every method, or all that is known of those named."""
    for name, method in METHODS.items() if not args.name else ():
        source = f"  {method.paper}" if method.paper else ""
        sys.stdout.write(f"{name:12} {method.title}: {method.summary}{source}\n")
    sys.stdout.write("\n".join(described(name) for name in args.name))
    return 0


def described(name: str) -> str:
    """A method's card and what ``--set`` takes, as lines of text."""
    if name not in METHODS:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    method = METHODS[name]
    card = method.card
    allowed = {option.field: f" ({option.allowed})" for option in card.options}
    lines = [
        f"{card.title}{f'  {card.paper}' if card.paper else ''}",
        card.summary,
        f"Prunes {method.where()}; decides: {card.decides}.",
        card.formula.reading,
        "Settings:",
        *(
            f"  {f.name}{_default(f.default)}{allowed.get(f.name, '')}"
            for f in fields(method)
            if f.name != "num_layers"
        ),
    ]
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    return "" if value is None else f"={value}"


def run_plan(args: argparse.Namespace) -> int:
    """Write what every method, or those named, would spend."""
    for name in args.method or list_methods():
        try:
            method = build(args, name, {}, args.visual_tokens, args.layers)
            spent = spending(method, args.visual_tokens, args.layers)
            line = f"{method.title}: {figures(spent)}"
        except OutOfReachError as error:
            line = str(error)
        sys.stdout.write(line + "\n")
    return 0


def figures(spent: Spending) -> str:
    """The three ways to state a budget, for one method."""
    return (
        f"{spent.final_tokens} of {spent.num_visual} visual tokens after the last stage "
        f"(keep ratio {spent.final_keep_ratio:.4g}); layer average {spent.layer_average:.1f} "
        f"({spent.compute_share:.1%} of all)"
    )


def run_ask(args: argparse.Namespace) -> int:
    """Ask, write both answers and, with ``--out``, everything else."""
    if args.max_new_tokens < 1:
        raise ValueError(f"--max-new-tokens must be at least 1, not {args.max_new_tokens}.")
    session, method, prepared = start(args)
    how = Settings(max_new_tokens=args.max_new_tokens, signals=args.out is not None)
    comparison = session.compare(prepared, method, how)
    sys.stdout.write(summary(comparison))
    if args.out is not None:
        model = model_title(session.loaded.name)
        files = write_results(args.out, prepared.image, comparison, model)
        sys.stdout.write("Written: " + ", ".join(str(file) for file in files) + "\n")
    return 0


def summary(comparison: Comparison) -> str:
    """Both answers and what pruning saved, as lines of text."""
    base, pruned = comparison.baseline, comparison.pruned
    lines = [
        f"Baseline: {base.text}",
        f"{pruned.label}: {pruned.text}",
        f"Kept: {figures(Spending(pruned.trace.num_visual, pruned.cost.tokens_per_layer))}",
        f"Decoder FLOPs: {pruned.cost.llm_flops / base.cost.llm_flops:.1%} of the baseline; "
        f"with the vision encoder and choosing "
        f"{pruned.cost.total_flops / base.cost.total_flops:.1%}",
        f"KV cache: {pruned.cost.kv_bytes / base.cost.kv_bytes:.1%} of the baseline",
    ]
    found = comparison.fidelity
    if found is not None:
        apart = found.first_divergence
        same = "the same answer" if apart is None else f"answers part at token {apart + 1}"
        parting = "" if found.parting_kl is None else f", {found.parting_kl:.4g} where they part"
        lines.append(
            f"Fidelity: {same}; KL of the first token {found.first_token_kl:.4g} nats{parting}, at "
            f"most {found.largest_kl:.4g} (token {found.largest_kl_at + 1})"
        )
    lines += [f"Do not trust this answer: {hint}" for hint in comparison.hints]
    return "\n".join(lines) + "\n"
