"""What the page needs to know about methods, read from their cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from html import escape
from typing import Any

from pruneviz.methods import Card, Method, Option, get_method
from pruneviz.methods.registry import METHODS, controls
from pruneviz.render.styles import Style, styles
from pruneviz.ui.shared.mathml import mathml

DEFAULT = next(iter(METHODS))


def choices() -> list[tuple[str, str]]:
    """Titles and registry names, in the registry's order."""
    return [(cls.title, name) for name, cls in METHODS.items()]


def compared() -> list[str]:
    """Names that are ticked at first where several methods are run."""
    return [name for name, cls in METHODS.items() if cls.card.compared]


def controls_named() -> str:
    """The controls' titles in a row, such as "Random and Uniform"."""
    *others, last = (METHODS[name].title for name in controls())
    return f"{', '.join(others)} and {last}" if others else last


def looks() -> dict[str, Style]:
    """How each method is drawn, by its name."""
    return styles(list(METHODS), controls())


def options() -> dict[str, tuple[str, Option]]:
    """Every option of every method, by a key of its own: the method's name and the option."""
    return {
        f"{name}.{option.field}": (name, option)
        for name, cls in METHODS.items()
        for option in cls.card.options
    }


def own_options(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of values by :func:`options`' keys those of one method, by its own fields."""
    return {
        option.field: option.plain(values[key])
        for key, (owner, option) in options().items()
        if owner == name and key in values
    }


def default_of(name: str, option: Option) -> Any:
    """What the method takes where an option is not set."""
    return next(f.default for f in fields(METHODS[name]) if f.name == option.field)


def describe(name: str) -> str:
    """One line of HTML on a method with a link to its paper, and its formula one click away."""
    card = METHODS[name].card
    link = _link(card, f"Paper<span class='pv-hidden'> on {escape(card.title)}</span>")
    return f'<p class="pv-method">{escape(card.summary)}{link}</p>{_formula_html(card)}'


def _formula_html(card: Card) -> str:
    """A closed disclosure with the formula, its symbols, its source and our reading."""
    formula, title = card.formula, escape(card.title)
    link = _link(card, f"Paper of {title}: arXiv {escape(card.arxiv)}")
    lines = "".join(
        f'<div class="pv-mathline"><span>{mathml(maths)}</span><small>{escape(note)}</small></div>'
        for maths, note in formula.lines
    )
    symbols = "".join(
        f"<dt>{mathml(symbol)}</dt><dd>{escape(meaning)}</dd>"
        for symbol, meaning in formula.symbols
    )
    return (
        f'<details class="pv-maths"><summary>Formula of {title}</summary>{lines}'
        f"<dl>{symbols}</dl><p>{escape(formula.reading)}{link}</p></details>"
    )


def _link(card: Card, html: str) -> str:
    if not card.paper:
        return ""
    return f' <a href="{escape(card.paper)}" target="_blank" rel="noopener noreferrer">{html}</a>'


def make(
    name: str, keep_ratio: float, num_layers: int, options: Mapping[str, Any] | None = None
) -> Method:
    """Build a method for a model of some depth.

    Parameters
    ----------
    name : str
        Registry name.
    keep_ratio : float
        In (0, 1]; checked by the method.
    num_layers : int
        Decoder layers of the model.
    options : mapping, optional
        Values of the method's options, by field.

    Raises
    ------
    ValueError
        On an unknown name or a bad value.
    """
    return get_method(name, num_layers=num_layers, keep_ratio=keep_ratio, **(options or {}))


def catalogue() -> list[dict[str, Any]]:
    """All methods as plain values: name, title, summary, paper, parameters with defaults."""
    return [
        {
            "name": name,
            "title": cls.title,
            "summary": cls.summary,
            "paper": cls.paper,
            "positions": cls.positions,
            "parameters": {f.name: _plain(f.default) for f in fields(cls)},
        }
        for name, cls in METHODS.items()
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str | int | float | bool) else None
