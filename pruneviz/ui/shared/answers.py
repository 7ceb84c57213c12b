"""Answers as cards, and the difference between two of them token by token."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape


def waiting_card(title: str) -> str:
    """A card without an answer yet."""
    return _card(title, "", '<p class="pv-answer pv-muted">…</p>', "waiting")


def empty_card(title: str, text: str) -> str:
    """A card before anything was asked."""
    return _card(title, "", f'<p class="pv-answer pv-muted">{escape(text)}</p>', "empty")


def answer_card(
    title: str, detail: str, text: str, running: bool = False, same: bool | None = None
) -> str:
    """A card with an answer.

    Parameters
    ----------
    title, detail : str
        Whose answer it is.
    text : str
        The answer so far; may contain anything.
    running : bool
        Whether more is coming.
    same : bool or None
        Whether it equals the baseline's; None says nothing about it.
    """
    shown = escape(text) if text else '<span class="pv-muted">(empty answer)</span>'
    caret = '<span class="pv-caret" aria-hidden="true"></span>' if running else ""
    chip = ""
    if same is not None:
        kind, word = ("same", "same answer") if same else ("differs", "different answer")
        mark = "=" if same else "≠"
        chip = f'<span class="pv-chip pv-{kind}"><b aria-hidden="true">{mark}</b> {word}</span>'
    state = "running" if running else "done"
    return _card(title, detail, f'<p class="pv-answer">{shown}{caret}</p>{chip}', state)


def _card(title: str, detail: str, body: str, state: str) -> str:
    small = f'<span class="pv-detail">{escape(detail)}</span>' if detail else ""
    return (
        f'<article class="pv-card" data-state="{state}">'
        f"<header><h2>{escape(title)}</h2>{small}</header>{body}</article>"
    )


def token_diff(baseline: Sequence[str], other: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """For every token of both answers, whether it has no partner in the other one."""
    left, right = [True] * len(baseline), [True] * len(other)
    matcher = SequenceMatcher(None, list(baseline), list(other), autojunk=False)
    for a, b, size in matcher.get_matching_blocks():
        left[a : a + size] = [False] * size
        right[b : b + size] = [False] * size
    return left, right


def diff_html(
    baseline: Sequence[str], other: Sequence[str], names: tuple[str, str] = ("Baseline", "Pruned")
) -> str:
    """Both answers as rows of tokens; those without a partner are marked and struck or added."""
    left, right = token_diff(baseline, other)
    rows = [
        _row(names[0], baseline, left, "del", "only in the baseline"),
        _row(names[1], other, right, "ins", "only in the pruned answer"),
    ]
    return f'<div class="pv-diff">{"".join(rows)}</div>'


def _row(name: str, tokens: Sequence[str], marked: list[bool], tag: str, title: str) -> str:
    cells = "".join(
        f'<{tag} title="{title}">{_visible(token)}</{tag}>'
        if mark
        else f"<span>{_visible(token)}</span>"
        for token, mark in zip(tokens, marked, strict=True)
    )
    return f'<div class="pv-diffrow"><b>{escape(name)}</b><p>{cells}</p></div>'


def _visible(token: str) -> str:
    return escape(token.strip(" ").replace("\n", "↵")) or "&nbsp;"
