r"""Formulas written in a line of text, as MathML, which browsers lay out by themselves.

``x_i^2`` is a subscript and a superscript, ``{...}`` groups, ``\frac{a}{b}`` is a fraction and
``\text{...}`` plain words. Limits of ∑ and of words such as ``max`` stand below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_TOKEN = re.compile(r"\\frac|\\text\{[^{}]*\}|[^\W\d_]+|\d+(?:\.\d+)?|\S")
_LIMITS = {"∑", "max", "min", "argmax"}
_FENCES = {"(", ")", "‖", "|", "⌊", "⌋"}
MINUS, NBSP = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
_WORDS = r"\text{"
_END = ""


def mathml(text: str) -> str:
    """Turn one formula into a ``<math>`` element.

    Raises
    ------
    ValueError
        If a brace is not closed or something is missing.
    """
    tokens = iter([*_TOKEN.findall(text), _END])
    return f'<math displaystyle="true">{_row(tokens, _END)}</math>'


def _row(tokens: Iterator[str], end: str) -> str:
    """Everything up to `end`, as one row."""
    parts: list[str] = []
    heads: list[str] = []
    for word in tokens:
        if word == end:
            return f"<mrow>{''.join(parts)}</mrow>"
        if word == _END:
            raise ValueError(f"A formula lacks a {end!r}.")
        if word in ("_", "^"):
            if not parts:
                raise ValueError(f"Nothing stands before a {word!r} in a formula.")
            parts[-1] = _script(parts[-1], heads[-1], word, _part(next(tokens), tokens))
        else:
            parts.append(_part(word, tokens))
            heads.append(word)
    raise ValueError("A formula ends too early.")


def _part(word: str, tokens: Iterator[str]) -> str:
    """One word, or the group that it opens."""
    return _row(tokens, "}") if word == "{" else _atom(word, tokens)


def _script(base: str, head: str, mark: str, script: str) -> str:
    if head in _LIMITS:
        # A word, unlike ∑, has no room of its own before what follows.
        room = '<mspace width="0.2em"/>' if head.isalpha() else ""
        return f"<munder>{base}{script}</munder>{room}"
    kind = "msub" if mark == "_" else "msup"
    if mark == "^" and base.startswith("<msub>"):
        return f"<msubsup>{base[len('<msub>') : -len('</msub>')]}{script}</msubsup>"
    return f"<{kind}>{base}{script}</{kind}>"


def _atom(word: str, tokens: Iterator[str]) -> str:
    if word in (_END, "}"):
        raise ValueError(f"A formula ends too early, or has a brace too many: {word!r}.")
    if word == r"\frac":
        return f"<mfrac>{_braced(tokens)}{_braced(tokens)}</mfrac>"
    if word.startswith(_WORDS):
        # Ordinary spaces at the ends of a text would be dropped.
        return f"<mtext>{escape(word[len(_WORDS) : -1].replace(' ', NBSP))}</mtext>"
    if word[0].isdigit():
        return f"<mn>{word}</mn>"
    if word[0].isalpha():
        return f"<mi>{word}</mi>"
    stretch = ' stretchy="false"' if word in _FENCES else ""
    return f"<mo{stretch}>{escape(word.replace('-', MINUS))}</mo>"


def _braced(tokens: Iterator[str]) -> str:
    if next(tokens) != "{":
        raise ValueError("A fraction takes two groups in braces.")
    return _row(tokens, "}")
