"""``pruneviz bench``: what methods cost and save on this machine, measured."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pruneviz.commands.arguments import (
    add_budget_arguments,
    add_model_arguments,
    add_setting_arguments,
    build,
    read_setting,
    whole,
)
from pruneviz.commands.question import asked
from pruneviz.engine.bench import (
    ATTENTIONS,
    GEOMETRIES,
    Entry,
    Plan,
    Report,
    Subject,
    as_markdown,
    as_text,
    from_geometry,
    measure,
    set_attention,
    verdicts,
)
from pruneviz.engine.budgets import CHECK_DEPTH
from pruneviz.errors import InputError
from pruneviz.export import model_title
from pruneviz.methods import Method, OutOfReachError, Pinned, list_methods
from pruneviz.methods.ranges import read_ranges
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.models.core.placing import pick_device
from pruneviz.render import SpeedLine, save_figure, speed_figure

DEFAULT = ("transprune", "resprune", "fopru", "fastv", "random")
SUFFIXES = (".png", ".pdf", ".svg")
PURPOSE = (
    "Measure, unpruned and pruned in turn, prefill, decoding, whole answers, memory and cache, "
    "beside the ratio of true FLOPs and the ideal: plain forwards of the same lengths. Ask a model "
    "about an image, or take random weights at the geometry of a real model, which downloads "
    "nothing."
)


def add(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    bench = commands.add_parser(
        "bench", help="measure time and memory against no pruning", description=PURPOSE
    )
    bench.add_argument("image", nargs="?", help="image file")
    bench.add_argument("question", nargs="?")
    bench.add_argument(
        "--geometry", metavar="NAME", help=f"random weights instead: {', '.join(GEOMETRIES)}"
    )
    bench.add_argument(
        "--layers", type=whole, help="build only so many decoder layers of a geometry"
    )
    names, default = ", ".join(list_methods()), ", ".join(DEFAULT)
    bench.add_argument(
        "--method",
        action="append",
        help=f"may be given several times ({default}); one of {names}",
    )
    add_budget_arguments(bench, several=True)
    bench.add_argument(
        "--batch", type=whole, action="append", help="rows; may be given several times (1)"
    )
    bench.add_argument("--pairs", type=whole, default=10, help="rounds that count (10)")
    bench.add_argument("--warmup", type=whole, default=2, help="rounds before them (2)")
    bench.add_argument("--tokens", type=whole, default=16, help="length of the answers (16)")
    bench.add_argument("--attention", choices=ATTENTIONS, help="default: the model's own, or sdpa")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    bench.add_argument(
        "--figure", type=Path, metavar="FILE", help="draw them, by suffix: png, pdf or svg"
    )
    bench.add_argument(
        "--markdown", action="store_true", help="write the table as Markdown instead of text"
    )
    add_setting_arguments(bench)
    add_model_arguments(bench)
    bench.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and write what was found."""
    _check(args)
    plan = Plan(args.pairs, args.warmup, args.tokens, tuple(args.batch or (1,)))
    # All that is wrong with the methods is told before a model is loaded.
    list(_entries(args, None, CHECK_DEPTH))
    subject, visual = _subject(args)
    entries = list(_entries(args, visual, subject.num_layers))
    report = measure(subject, entries, plan, _progress)
    _progress("")
    command = f"pruneviz bench {shlex.join(_given(args))}"
    sys.stdout.write(as_markdown(report, command) if args.markdown else as_text(report))
    if args.json is not None:
        found = {"command": command, **report.to_dict(), "verdicts": verdicts(report)}
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if args.figure is not None:
        save_figure(figure(report), args.figure)
    return 0


def figure(report: Report) -> Any:
    """One panel a batch size, one bar a method."""
    panels = []
    for group in report.groups:
        lines = [
            SpeedLine(
                row.name,
                row.prefill.low,
                row.prefill.middle,
                row.prefill.high,
                row.flops,
                row.ideal.middle if row.ideal else None,
            )
            for row in group.rows
            if row.prefill is not None
        ]
        base = group.baseline
        unpruned = f": unpruned {1000 * base.prefill:.1f} ms" if base else ""
        panels.append((f"Batch {group.batch}{unpruned}", lines))
    title = (
        f"{report.model}, {report.length} prompt tokens ({report.visual} visual), {report.dtype}, "
        f"{report.attention}. {report.device}."
    )
    caption = (
        f"Prefill, vision encoder included, pruned over unpruned in the same round, of "
        f"{report.rounds} rounds. Ideal: plain forwards of the lengths that the method leaves. "
        f"{report.versions}."
    )
    return speed_figure(panels, [title], caption)


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, and files that could not be written in the end."""
    asked = args.image is not None and args.question is not None
    if args.geometry is None and not asked:
        raise InputError("Give an IMAGE and a QUESTION, or --geometry NAME.")
    if args.geometry is not None and args.image is not None:
        raise InputError("Give an IMAGE and a QUESTION or --geometry, not both.")
    for option, given in (
        ("--model", args.model != EMBEDDED),
        ("--quantisation", args.quantisation is not None),
    ):
        if args.geometry is not None and given:
            raise InputError(f"{option} does not go with --geometry.")
    if args.geometry is None and args.layers is not None:
        raise InputError("--layers goes with --geometry: a loaded model has all of its layers.")
    if args.pairs < 1:
        raise InputError(f"--pairs must be at least 1, not {args.pairs}.")
    if args.set and len(args.method or DEFAULT) > 1:
        raise InputError("--set goes with a single --method.")
    if args.figure is not None and args.figure.suffix not in SUFFIXES:
        raise InputError(f"--figure must end in {', '.join(SUFFIXES)}, not {args.figure.name!r}.")
    for path in (args.json, args.figure):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"There is no folder {str(path.parent)!r} to write {path.name} to.")
        if path is not None and path.is_dir():
            raise InputError(f"{str(path)!r} is a folder, not a file to write.")


def _subject(args: argparse.Namespace) -> tuple[Subject, int]:
    """What is measured, and its visual tokens."""
    if args.geometry is not None:
        subject = from_geometry(
            args.geometry,
            args.device,
            args.dtype,
            args.layers,
            args.attention or "sdpa",
            args.newlines,
            args.positions,
            _rows(args),
        )
        return subject, subject.num_visual
    session, prepared = asked(args)
    subject = Subject.of_question(
        session.loaded,
        prepared.image,
        prepared.question,
        prepared.newlines,
        prepared.positions,
        model_title(args.model),
    )
    if args.attention is not None:
        set_attention(subject, args.attention)
    return subject, prepared.grid.num_tokens


def _rows(args: argparse.Namespace) -> int:
    """The batch that must fit: on the CPU, where nothing can be caught, the largest."""
    sizes = args.batch or (1,)
    return max(sizes) if pick_device(args.device).type == "cpu" else min(sizes)


def _entries(args: argparse.Namespace, visual: int | None, layers: int) -> Iterator[Entry]:
    """Every method at every budget; `visual` None where the prompt is not known yet."""
    settings = dict(read_setting(text) for text in args.set)
    pins = read_ranges(args.pin_keep), read_ranges(args.pin_drop), args.pin_extra
    for name in args.method or DEFAULT:
        for ratio in args.keep_ratio or (None,):
            one = argparse.Namespace(**{**vars(args), "keep_ratio": ratio})
            budget = _budget(one)
            try:
                method = build(one, name, settings, visual, layers)
            except OutOfReachError as error:
                yield Entry.refused(name, METHODS[name].title, budget, str(error))
                continue
            pinned: Method = Pinned(method, *pins) if any(pins) else method
            if visual is not None:
                for stage in pinned.stages():
                    pinned.count(stage, visual)
            yield Entry.of(pinned, budget)


def _budget(args: argparse.Namespace) -> str:
    """The budget in words; nothing where it is the method's own."""
    if args.keep_ratio is not None:
        return f"{100 * args.keep_ratio:.4g} %"
    if args.keep_tokens is not None:
        return f"{args.keep_tokens} tokens"
    share = args.equal_compute
    return "" if share is None else f"{100 * share:.4g} % compute"


def _given(args: argparse.Namespace) -> list[str]:
    """The command's own arguments, as they were typed."""
    typed: list[str] = args.argv
    return typed[typed.index("bench") + 1 :]


def _progress(line: str) -> None:
    """Tell how far it is; at a terminal the next line takes its place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
    elif line:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
