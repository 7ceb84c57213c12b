"""What the docs say of every method, made from its card."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from html import escape
from typing import Any

from docs.roles import linked
from pruneviz.methods import Method
from pruneviz.methods.registry import METHODS
from pruneviz.ui.shared.mathml import mathml

BUDGETS = ("keep_ratio", "keep_tokens", "num_layers")
"""Fields that every method has."""
ENTRY = re.compile(r"^(\w+(?:, \w+)*)(?: : [^\n]*)?\n((?:    [^\n]*\n?)*)", re.MULTILINE)
LITERAL = re.compile(r"``(.+?)``")
POSITIONS = {
    "renumber": "close up (`renumber`)",
    "keep": "stay as they were (`keep`)",
}


def table() -> str:
    """Every method in a row: where it prunes, what decides, how far it is the published one."""
    rows = [("name", "where it prunes", "what decides", "where it stands", "paper"), ("---",) * 5]
    rows += [
        (f"`{name}`", cls.where(), cls.card.decides, cls.card.standing, _paper(cls))
        for name, cls in METHODS.items()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def sections() -> str:
    """Every method in a section of its own, in Markdown."""
    return "\n".join(_section(cls) for cls in METHODS.values())


def classes() -> str:
    """Every method's class, for the reference."""
    return "\n".join(f"::: {_path(cls)}\n" for cls in METHODS.values())


def _section(cls: type[Method]) -> str:
    card = cls.card
    parts = [f"## {card.title}", card.summary, _facts(cls), _formula(cls)]
    if card.terms:
        parts += [
            "In the trace's `components`:",
            _rows(
                "component", ["what it says of a patch"], {k: [v] for k, v in card.terms.items()}
            ),
        ]
    return "\n\n".join([*parts, _options(cls)]) + "\n"


def _facts(cls: type[Method]) -> str:
    facts = {
        "Name": f"`{cls.name}`",
        "Prunes": cls.where(),
        "Decides": cls.card.decides,
        "Tokens": "merges them" if cls.card.merges else "picks some of them",
        "Positions": POSITIONS[cls.positions],
        "Paper": _paper(cls),
        "Class": f"[`{cls.__name__}`][{_path(cls)}]",
    }
    return "\n".join(f"- {key}: {value}" for key, value in facts.items() if value)


def _formula(cls: type[Method]) -> str:
    """Formula and symbols as HTML, which Markdown leaves alone, and our reading of the paper."""
    formula = cls.card.formula
    lines = "".join(
        f'<div class="pv-mathline">{mathml(line)} <small>{escape(note)}</small></div>'
        for line, note in formula.lines
    )
    symbols = "".join(
        f"<dt>{mathml(symbol)}</dt><dd>{escape(meaning)}</dd>"
        for symbol, meaning in formula.symbols
    )
    return f'<div>{lines}<dl class="pv-symbols">{symbols}</dl></div>\n\n{formula.reading}'


def _options(cls: type[Method]) -> str:
    """Fields with their defaults and what the class says of them."""
    meanings, offered = _meanings(cls), {option.field: option for option in cls.card.options}
    rows = {}
    for field in fields(cls):
        if field.name not in BUDGETS:
            meaning = meanings.get(field.name, "")
            if field.name in offered:
                meaning += f" On the page: {offered[field.name].allowed}."
            rows[f"`{field.name}`"] = [f"`{field.default!r}`", meaning]
    default = f"Default keep ratio: {cls().budget_ratio:g}."
    if not rows:
        return f"{default} No options beside the budget."
    return f"{default}\n\n" + _rows("option", ["default", "meaning"], rows)


def _meanings(cls: type[Method]) -> dict[str, str]:
    """What the class's docstring says of each parameter, or else a base's."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        section = inspect.cleandoc(base.__doc__ or "").partition("Parameters\n----------\n")[2]
        for names, text in ENTRY.findall(section.partition("\n\n")[0]):
            meaning = linked(LITERAL.sub(r"`\1`", " ".join(text.split())))
            found |= dict.fromkeys(names.split(", "), meaning)
    return found


def _rows(first: str, heads: list[str], rows: Mapping[str, list[Any]]) -> str:
    lines = [[first, *heads], ["---"] * (1 + len(heads)), *([k, *v] for k, v in rows.items())]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _path(cls: type[Method]) -> str:
    return f"{cls.__module__}.{cls.__name__}"


def _paper(cls: type[Method]) -> str:
    return f"[{cls.card.arxiv}]({cls.card.paper})" if cls.card.paper else ""
