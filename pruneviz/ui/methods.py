"""What the page needs to know about methods: choices, explanations, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from html import escape
from typing import Any

from pruneviz.methods import get_method
from pruneviz.methods.base import Method
from pruneviz.methods.registry import METHODS
from pruneviz.ui.formulas import FORMULAS
from pruneviz.ui.mathml import mathml

OPTIONS: dict[str, tuple[str, ...]] = {
    "transprune": ("signal",),
    "resprune": ("alpha",),
    "fopru": ("strategy",),
    "random": ("seed",),
}
"""Fields that the page offers beside the keep ratio."""
DEFAULT = "transprune"
CONTROLS = ("random", "uniform", "grid", "downsample")
COMPARED = ("transprune", "resprune", "fopru", "fastv", "random", "uniform")
"""Ticked where several methods are run."""


def choices() -> list[tuple[str, str]]:
    """Titles and registry names, in the registry's order."""
    return [(cls.title, name) for name, cls in METHODS.items()]


def describe(name: str) -> str:
    """One line of HTML on a method with a link to its paper, and its formula one click away."""
    cls = METHODS[name]
    link = _link(cls, f"Paper<span class='pv-hidden'> on {escape(cls.title)}</span>")
    return f'<p class="pv-method">{escape(cls.summary)}{link}</p>{_formula_html(cls)}'


def _formula_html(method: type[Method]) -> str:
    """A closed disclosure with the formula, its symbols, its source and our reading."""
    formula, title = FORMULAS[method.name], escape(method.title)
    link = _link(method, f"Paper of {title}: arXiv {escape(method.paper.rpartition('/')[2])}")
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


def _link(method: type[Method], html: str) -> str:
    if not method.paper:
        return ""
    return f' <a href="{escape(method.paper)}" target="_blank" rel="noopener noreferrer">{html}</a>'


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
        Values of any options; those of other methods are ignored.

    Raises
    ------
    ValueError
        On an unknown name or a bad value.
    """
    wanted = OPTIONS.get(name, ())
    chosen = {key: value for key, value in (options or {}).items() if key in wanted}
    if "seed" in chosen:
        chosen["seed"] = int(chosen["seed"])
    return get_method(name, num_layers=num_layers, keep_ratio=keep_ratio, **chosen)


def nested(method: Method) -> bool:
    """Whether fewer kept tokens would be the first of the same ranking, whole-number budgets alike.

    Not so for whole rows, nor where a method counts in its own way.
    """
    whole_rows = getattr(method, "strategy", "rank") == "row"
    own_counts = method.rounds or type(method).count is not Method.count
    return method.exact_prefix and not own_counts and not whole_rows


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
