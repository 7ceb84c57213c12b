"""A result as a link that restores it, and as a command line that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pruneviz.engine import Settings
from pruneviz.methods.ranges import read_ranges, write_ranges
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.trace import Trace
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.pins import Pins
from pruneviz.ui.shared.question import KEEP_PERCENT, Question
from pruneviz.ui.shared.runs import command_line, example_with, reachable
from pruneviz.ui.shared.shown import Shown

LONGEST = 2_000
"""Characters of a question that a link may carry."""


@dataclass(frozen=True)
class Linked:
    """What a link asks for; `question.image` is None where the picture was a visitor's own.

    `model` is as the link says, on offer or not; empty where it says nothing.
    """

    question: Question
    example: Example | None
    model: str = ""


def query_of(
    shown: Shown, examples: Sequence[Example], offered: Sequence[str] = (EMBEDDED,)
) -> str:
    """The link's query string.

    The model is in it if it is on offer: a link must not make a server load anything else.
    """
    asked, example = shown.question, example_with(shown.picture, examples)
    values: dict[str, Any] = {} if example is None else {"example": example.image.stem}
    values |= {"q": shown.done.question, "method": asked.method}
    values |= {"keep": f"{asked.keep_percent:g}", "length": asked.max_new_tokens}
    values |= {"model": shown.model} if shown.model in offered else {}
    values |= _options(asked)
    if example is not None:
        for name, value in _pin_texts(shown.pins):
            values[f"pin_{name}"] = value
    return urlencode(values)


def read_query(values: Mapping[str, str], examples: Sequence[Example]) -> Linked | None:
    """What a link's query asks for; None where it is not a link of ours.

    Values that make no sense are left at the page's defaults.
    """
    if not {"q", "method", "example"} & set(values):
        return None
    example = next((e for e in examples if e.image.stem == values.get("example")), None)
    text = values.get("q", "")[:LONGEST]
    if not text and example is not None:
        text = example.questions[0] if example.questions else ""
    method = values["method"] if values.get("method") in METHODS else methods.DEFAULT
    question = Question(
        image=str(example.image) if example else None,
        text=text,
        method=method,
        keep_percent=_number(values.get("keep"), float, 1, 100, KEEP_PERCENT),
        max_new_tokens=_number(values.get("length"), int, 1, 256, Settings.max_new_tokens),
        options=_read_options(method, values),
        pins=_read_pins(values) if example else Pins(),
    )
    return Linked(question, example, values.get("model", ""))


def command_of(shown: Shown, examples: Sequence[Example]) -> str:
    """The command line that repeats the result, quoted for a shell."""
    asked = shown.question
    options = ["--method", asked.method, "--keep-ratio", f"{asked.keep_percent / 100:g}"]
    for name, value in _options(asked).items():
        options += ["--set", f"{name}={value}"]
    if asked.max_new_tokens != Settings.max_new_tokens:
        options += ["--max-new-tokens", str(asked.max_new_tokens)]
    for name, value in _pin_texts(shown.pins):
        options += [f"--pin-{name}", value]
    if shown.model != EMBEDDED:
        options += ["--model", shown.model]
    options += _reading(shown.done.pruned.trace, asked.method)
    image = reachable(example_with(shown.picture, examples), asked.image)
    return command_line("ask", image, shown.done.question, options)


def _options(asked: Question) -> dict[str, Any]:
    return {
        option.field: asked.options[option.field]
        for option in METHODS[asked.method].card.options
        if asked.options.get(option.field) is not None
    }


def _reading(trace: Trace, method: str) -> list[str]:
    """How tokens were counted, where a run left to itself might count them otherwise."""
    own = trace.positions == METHODS[method].positions
    parts = [] if own else ["--positions", trace.positions]
    return parts if trace.newlines == "visual" else [*parts, "--newlines", trace.newlines]


def _pin_texts(pins: Pins) -> list[tuple[str, str]]:
    texts = [("keep", write_ranges(pins.keep)), ("drop", write_ranges(pins.drop))]
    texts.append(("extra", str(pins.extra) if pins.extra else ""))
    return [(name, text) for name, text in texts if text]


def _read_pins(values: Mapping[str, str]) -> Pins:
    extra = _number(values.get("pin_extra"), int, 0, 10_000, 0)
    try:
        keep, drop = (read_ranges(values.get(f"pin_{name}", "")) for name in ("keep", "drop"))
    except ValueError:
        return Pins()
    return Pins(keep, drop, extra)


def _read_options(method: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Options that the link sets to something the method's card allows."""
    offered = METHODS[method].card.options
    read = {o.field: o.read(values[o.field]) for o in offered if o.field in values}
    return {field: value for field, value in read.items() if value is not None}


def _number(text: str | None, kind: Any, low: float, high: float, default: Any) -> Any:
    try:
        value = kind(text)
    except (TypeError, ValueError):
        return default
    return value if low <= value <= high else default
