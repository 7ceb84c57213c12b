"""The command line: ask with and without pruning, measure it, plan a budget, serve the page."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pruneviz import serving
from pruneviz.engine import Comparison, Prepared, Session, Settings, read_image
from pruneviz.engine.benchmark import benchmark
from pruneviz.errors import PruneVizError, told
from pruneviz.export import model_title, write_results
from pruneviz.methods import (
    Method,
    OutOfReachError,
    Pinned,
    Spending,
    at_compute,
    get_method,
    list_methods,
    spending,
)
from pruneviz.methods.compute import check_compute
from pruneviz.methods.ranges import read_ranges
from pruneviz.methods.registry import METHODS
from pruneviz.models import load_model
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.options import add_loading_arguments

LOGGING = {"level": logging.WARNING, "format": "%(levelname)s %(name)s: %(message)s"}
CHECK_DEPTH = 1_000
WORDS = {"True": True, "False": False, "None": None}
"""Deep enough for any schedule: settings are checked before a model is loaded."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    parser = build_parser()
    args = parser.parse_args(argv)
    logging.basicConfig(**args.logging)
    try:
        return int(args.run(args))
    except (PruneVizError, ValueError) as error:
        sys.stderr.write(f"pruneviz: {told(error)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"pruneviz: cannot write the results: {error}\n")
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="pruneviz", description=__doc__)
    parser.set_defaults(logging=LOGGING)
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("ask", help="answer a question with and without pruning")
    add_question_arguments(ask)
    ask.add_argument("--max-new-tokens", type=int, default=Settings.max_new_tokens)
    ask.add_argument("--out", type=Path, help="folder for answers, traces and figures")
    ask.set_defaults(run=run_ask)
    bench = commands.add_parser("bench", help="measure time and memory as ratios of paired runs")
    add_question_arguments(bench)
    bench.add_argument("--pairs", type=int, default=10, help="pairs of runs (10)")
    bench.add_argument("--tokens", type=int, default=16, help="longest answer (16)")
    bench.set_defaults(run=run_bench)
    methods = commands.add_parser("methods", help="list the pruning methods, or describe some")
    methods.add_argument("name", nargs="*", help="describe these, with what --set takes")
    methods.set_defaults(run=run_methods)
    plan = commands.add_parser("plan", help="what every method spends on a budget; runs no model")
    plan.add_argument("--method", action="append", help="only this one; may be given several times")
    add_budget_arguments(plan)
    plan.add_argument("--visual-tokens", type=int, default=576, help="of the prompt (576)")
    plan.add_argument("--layers", type=int, default=32, help="decoder layers of the model (32)")
    plan.set_defaults(run=run_plan)
    serve = commands.add_parser("serve", help="start the page", description=serving.PURPOSE)
    serving.add_arguments(serve)
    serve.set_defaults(run=serving.serve, logging=serving.LOGGING)
    return parser


def add_question_arguments(parser: argparse.ArgumentParser) -> None:
    """What is asked, of which model, and how it is pruned."""
    parser.add_argument("image", help="image file")
    parser.add_argument("question")
    names = ", ".join(list_methods())
    parser.add_argument("--method", default="transprune", help=f"one of {names}")
    add_budget_arguments(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the method, such as alpha=0.3 or, a list, 'prune_layers=[2,5]'; "
        "may be given several times",
    )
    for name, what in (("keep", "kept"), ("drop", "dropped")):
        parser.add_argument(
            f"--pin-{name}",
            default="",
            metavar="TOKENS",
            help=f"visual tokens {what} by hand, such as 3,7-9 (counted from 0, row by row)",
        )
    parser.add_argument(
        "--pin-extra", type=int, default=0, help="tokens kept beyond the method's own number"
    )
    add_model_arguments(parser)


def add_budget_arguments(parser: argparse.ArgumentParser) -> None:
    """The three ways to say how much is kept, of which one may be given."""
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--keep-ratio", type=float, help="share of the visual tokens kept, up to 1")
    budget.add_argument("--keep-tokens", type=int, help="exact number of visual tokens kept")
    budget.add_argument(
        "--equal-compute",
        type=float,
        metavar="SHARE",
        help="visual tokens averaged over all decoder layers, as a share of all, up to 1",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say which model is loaded and how."""
    parser.add_argument("--model", default=EMBEDDED, help="embedded, a hub id or a folder")
    add_loading_arguments(parser)


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


def run_bench(args: argparse.Namespace) -> int:
    """Measure and write the ratios."""
    session, method, prepared = start(args)
    result = benchmark(session.loaded, prepared, method, args.pairs, args.tokens)
    rows = [("Prefill", result.prefill), ("Image and prefill", result.with_vision)]
    if result.per_token is not None:
        rows.append(("Each further token", result.per_token))
    sys.stdout.write(f"{method.title} over baseline, {result.pairs} pairs: median (range)\n")
    for name, spread in rows:
        line = f"{name} time: {spread.middle:.3f} ({spread.low:.3f} to {spread.high:.3f})"
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"KV cache after the prefill: {result.kv_bytes:.3f}\n")
    if result.peak_memory is not None:
        sys.stdout.write(f"Peak memory above the weights: {result.peak_memory:.3f}\n")
    return 0


def start(args: argparse.Namespace) -> tuple[Session, Method, Prepared]:
    """Check the settings, load the model, encode the question."""
    settings = dict(read_setting(text) for text in args.set)
    pins = read_ranges(args.pin_keep), read_ranges(args.pin_drop), args.pin_extra
    Pinned(build(args, args.method, settings, None, CHECK_DEPTH), *pins)
    image = read_image(args.image)
    loaded = load_model(args.model, args.device, args.dtype, args.quantisation)
    session = Session(loaded, args.newlines, args.positions)
    prepared = session.prepare(image, args.question)
    num_visual = prepared.grid.num_tokens
    method = build(args, args.method, settings, num_visual, session.num_layers)
    seen = session.seen_for(prepared, method)
    return session, Pinned(method, *pins) if any(pins) else method, seen


def build(
    args: argparse.Namespace,
    name: str,
    settings: Mapping[str, Any],
    num_visual: int | None,
    num_layers: int,
) -> Method:
    """The method on the budget asked for.

    With `num_visual` None, before the prompt is known, an equal-compute budget is only checked.
    """
    own = {key: getattr(args, key) for key in ("keep_ratio", "keep_tokens")}
    own = {key: value for key, value in own.items() if value is not None}
    twice = settings.keys() & own
    if twice:
        key = min(twice)
        raise ValueError(f"Give --{key.replace('_', '-')} or --set {key}, not both.")
    if "num_layers" in settings:
        raise ValueError("num_layers cannot be set: it is the model's number of layers.")
    own = {**settings, **own}
    share = args.equal_compute
    if share is not None and num_visual is not None:
        return at_compute(name, share, num_visual=num_visual, num_layers=num_layers, **own)
    if share is not None:
        check_compute(share, own)
    return get_method(name, num_layers=num_layers, **own)


def read_setting(text: str) -> tuple[str, Any]:
    """Split ``name=value``; the value is read as Python or JSON writes it, else taken as text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--set takes NAME=VALUE, not {text!r}.")
    if value in WORDS:
        return name, WORDS[value]
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


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
    if comparison.fidelity is not None:
        apart = comparison.fidelity.first_divergence
        same = "the same answer" if apart is None else f"answers part at token {apart + 1}"
        lines.append(
            f"Fidelity: {same}; KL of the first token {comparison.fidelity.first_token_kl:.4g} nats"
        )
    lines += [f"Do not trust this answer: {hint}" for hint in comparison.hints]
    return "\n".join(lines) + "\n"
