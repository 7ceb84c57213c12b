"""A method's card: everything that page, command line, figures and docs say of it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ALIVE = ("i, j", "patches not dropped before")
BUDGET = ("N, r", "number of patches, and the keep ratio that is set")
HEADS = ("H", "attention heads of the layer")
"""Symbols that several formulas share."""


def slashed(values: Sequence[float]) -> str:
    """Numbers as formulas' readings list them, such as ``7/9/12``."""
    return "/".join(f"{value:g}" for value in values)


@dataclass(frozen=True)
class Formula:
    r"""How a method scores patches and how many it keeps.

    Attributes
    ----------
    lines : tuple of (str, str)
        Formula, and its number in the paper or another short remark. The notation is a line of
        text: ``x_i^2`` is a subscript and a superscript, ``{...}`` groups, ``\frac{a}{b}`` is a
        fraction and ``\text{...}`` plain words.
    symbols : tuple of (str, str)
        In the order they occur: symbol in the same notation, and its meaning.
    reading : str
        What is ours, and where paper and published code differ.
    """

    lines: tuple[tuple[str, str], ...]
    symbols: tuple[tuple[str, str], ...]
    reading: str


@dataclass(frozen=True)
class Option(ABC):
    """A field of the method that the page offers beside the keep ratio.

    Attributes
    ----------
    field : str
        Its name; the default is the field's own.
    info : str
        What it does, in a sentence.
    """

    field: str
    info: str

    @abstractmethod
    def read(self, text: str) -> Any:
        """The value that a text such as a link's states; None where it makes no sense."""

    def plain(self, value: Any) -> Any:
        """A value from a page's component in the type that the field takes."""
        return value

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What may be given, in words."""


@dataclass(frozen=True)
class Choice(Option):
    """One of a few words, `choices`."""

    choices: tuple[str, ...]

    def read(self, text: str) -> str | None:
        """The word if it is one of them."""
        return text if text in self.choices else None

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.choices)


@dataclass(frozen=True)
class Range(Option):
    """A number from `low` to `high`, set in steps of `step`."""

    low: float
    high: float
    step: float

    def read(self, text: str) -> float | None:
        """The number if it lies in the range."""
        try:
            value = float(text)
        except ValueError:
            return None
        return value if self.low <= value <= self.high else None

    @property
    def allowed(self) -> str:
        """The range."""
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Whole(Option):
    """A whole number from `low` to `high`."""

    low: int = 0
    high: int = 2**31

    def read(self, text: str) -> int | None:
        """The number if it lies in the range."""
        try:
            value = int(text)
        except ValueError:
            return None
        return value if self.low <= value <= self.high else None

    def plain(self, value: Any) -> Any:
        """Whole where a component gives ``3.0``; anything else is left for the method to refuse."""
        whole = isinstance(value, float) and math.isfinite(value) and value == int(value)
        return int(value) if whole else value

    @property
    def allowed(self) -> str:
        """The range."""
        return f"whole numbers from {self.low}"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is to be known of a method without running it.

    Attributes
    ----------
    title : str
        The name people read.
    summary : str
        What it does, in a sentence for the page.
    decides : str
        What decides about a token, in a few words for tables.
    standing : str
        How far it is known to be the published method, in a few words; empty where that is not
        said.
    formula : Formula
        As the code computes it.
    paper : str
        Address of the paper; empty for what is ours.
    terms : mapping of str to str
        Components of the score, and what each says of a patch.
    options : tuple of Option
        Fields that page, links and command line offer.
    control : bool
        Whether it is there to be beaten.
    merges : bool
        Whether it makes tokens anew, at least with some settings.
    nested : bool
        Whether a smaller budget keeps the first of the same ranking, with the published settings.
    rounding : {"down", "nearest"}
        How a share of the tokens becomes a count.
    compared : bool
        Whether it is ticked at first where several methods are run.
    place : int
        Small numbers are listed first; methods of one place stand in the order of their papers.
    """

    title: str
    summary: str
    decides: str
    formula: Formula
    standing: str = ""
    paper: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    control: bool = False
    merges: bool = False
    nested: bool = False
    rounding: Literal["down", "nearest"] = "down"
    compared: bool = False
    place: int = 10

    def __post_init__(self) -> None:
        """Check that nothing that people read is left empty."""
        empty = [name for name in ("title", "summary", "decides") if not getattr(self, name)]
        if empty or not self.formula.lines or not self.formula.reading:
            missing = ", ".join(empty) or "formula with lines and a reading"
            raise ValueError(f"The card of {self.title or 'a method'} needs a {missing}.")
        problem = self._problem()
        if problem:
            raise ValueError(f"The card of {self.title}: {problem}.")

    def _problem(self) -> str:
        """What cannot be shown or used; empty if all can."""
        pairs = (*self.formula.lines, *self.formula.symbols)
        texts = all(
            isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(t, str) for t in pair)
            for pair in pairs
        )
        if not texts:
            return "lines and symbols of its formula are pairs of texts"
        unbalanced = [maths for maths, _ in pairs if maths.count("{") != maths.count("}")]
        if unbalanced:
            return f"a brace is missing in its formula {unbalanced[0]!r}"
        if self.paper and not self.paper.startswith("https://"):
            return f"its paper is an address that begins with https://, not {self.paper!r}"
        if self.rounding not in ("down", "nearest"):
            return f"its rounding is 'down' or 'nearest', not {self.rounding!r}"
        if not isinstance(self.options, tuple) or not all(
            isinstance(option, Option) for option in self.options
        ):
            return "its options are a tuple of Choice, Range and Whole"
        loose = [o for o in self.options if isinstance(o, Choice) and isinstance(o.choices, str)]
        if loose:
            return f"the choices of {loose[0].field} are a tuple of words, not one word"
        return ""

    def count(self, tokens: float) -> int:
        """A whole number of tokens from a share of them, rounded as this method rounds."""
        return round(tokens) if self.rounding == "nearest" else int(tokens)

    @property
    def arxiv(self) -> str:
        """The paper's number on arXiv, such as ``2507.20630``; empty without a paper."""
        return self.paper.rpartition("/")[2]
