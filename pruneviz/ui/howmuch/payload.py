"""What the plot draws and says; everything that is rounded is rounded here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pruneviz.evaluation.drawing import AXES
from pruneviz.evaluation.statistics import Entry, Share
from pruneviz.evaluation.tables import p_value
from pruneviz.evaluation.wording import percent
from pruneviz.methods.registry import METHODS
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.shared import methods

ALL, HARD = "all", "hard"
"""Slices beside the kinds, which are called ``kind:NAME``."""


def plot(outcome: Outcome) -> dict[str, Any]:
    """Curves, slices and axes, as plain values; None where nothing is known."""
    base, *others = outcome.entries
    slices = _slices(base, others)
    named = [name for name, _ in slices]
    return {
        "questions": outcome.questions,
        "axes": [f"{title} ({label}, log scale)" for _, title, label in AXES],
        "axisNames": [title for _, title, _ in AXES],
        "slices": [
            {"name": name, "title": title, "unpruned": _unpruned(base, others, name)}
            for name, title in slices
        ],
        "curves": _curves(others, named),
    }


def _slices(base: Entry, others: Sequence[Entry]) -> list[tuple[str, str]]:
    found = [(ALL, f"All questions ({base.accuracy.questions:,})")]
    if any(one.hard.questions for one in others):
        found.append((HARD, "Only what the downsampled picture fails"))
    kinds = base.by_kind.items()
    return found + [(f"kind:{kind}", f"{kind} ({share.questions:,})") for kind, share in kinds]


def share_in(one: Entry, name: str) -> Share:
    """Right answers of an entry in a slice."""
    if name == ALL:
        return one.accuracy
    return one.hard if name == HARD else one.by_kind[name.removeprefix("kind:")]


def _unpruned(base: Entry, others: Sequence[Entry], name: str) -> dict[str, Any] | None:
    """The unpruned run in a slice; of hard questions those of the smallest budget, the most."""
    share = share_in(base, name)
    if name == HARD:
        share = max(others, key=lambda one: one.hard.questions).hard_unpruned
    return _worth(share)


def _worth(share: Share) -> dict[str, Any] | None:
    if not share.questions:
        return None
    return {
        "at": 100 * share.value,
        "low": 100 * share.low,
        "high": 100 * share.high,
        "text": accuracy(share),
    }


def accuracy(share: Share) -> str:
    """Such as "84.5 % right (79.0 to 88.8) of 200 questions"."""
    return (
        f"{100 * share.value:.1f} % right ({100 * share.low:.1f} to {100 * share.high:.1f}) of "
        f"{share.questions:,} question{'' if share.questions == 1 else 's'}"
    )


def _curves(others: Sequence[Entry], slices: Sequence[str]) -> list[dict[str, Any]]:
    looks = methods.looks()
    found = []
    for name in dict.fromkeys(one.method for one in others):
        card = METHODS[name].card
        own = [one for one in others if one.method == name and one.accuracy.questions]
        found.append(
            {
                "name": name,
                "title": card.title,
                "control": card.control,
                "look": looks[name].to_dict(),
                "points": [_point(one, slices) for one in own],
            }
        )
    return found


def _point(one: Entry, slices: Sequence[str]) -> dict[str, Any]:
    return {
        "budget": one.budget,
        "title": f"{one.title} at {percent(one.budget)}{_kind(one)}",
        "x": [100 * getattr(one, field) for field, _, _ in AXES],
        "worth": [_worth(share_in(one, name)) for name in slices],
        "lines": _lines(one),
        "pareto": one.pareto,
    }


def _kind(one: Entry) -> str:
    return " compute" if one.budget_kind == "compute" else ""


def _lines(one: Entry) -> list[str]:
    lines = [
        f"{one.tokens:.4g} visual tokens left ({percent(one.tokens_share)})",
        f"layer average {percent(one.layer_share)}, FLOPs {percent(one.flops_share)}",
    ]
    pair = one.against_unpruned
    if pair is not None:
        seeds = f", mean of {one.seeds} draws" if one.seeds > 1 else ""
        lines.append(f"lost {pair.lost:.3g}, won {pair.won:.3g}{seeds} (p = {p_value(pair.p)})")
    if one.errors:
        lines.append(f"{one.errors:,} rows with an error")
    return lines
