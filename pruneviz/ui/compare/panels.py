"""A method's card in the Compare tab, as plain values; the page's script lays them out."""

from __future__ import annotations

from typing import Any

from pruneviz.engine import Comparison, Outcome, SideBySide
from pruneviz.engine.budgets import KINDS
from pruneviz.render import panel
from pruneviz.trace import Trace
from pruneviz.ui.compare.measures import told
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.answers import token_diff
from pruneviz.ui.shared.previews import previews


def card(outcome: Outcome, result: SideBySide, num_layers: int) -> dict[str, Any]:
    """Title, problem or mask, answer, difference and numbers of one method."""
    look = methods.looks()[outcome.name].to_dict()
    found = {"title": outcome.title, "look": look, "problem": outcome.problem, "ready": False}
    done = outcome.comparison
    if done is None or outcome.method is None:
        return found
    same = done.fidelity is not None and done.fidelity.exact_match
    return {
        **found,
        **panel(done.pruned.trace),
        "previews": previews(outcome.method, {}, result.num_visual, num_layers, KINDS),
        "ready": True,
        "left": left(done.pruned.trace),
        "answer": done.pruned.text,
        "same": same,
        "diff": None if same else difference(done),
        "told": told(done, result),
    }


def left(trace: Trace) -> str:
    """What is left in the end, in words."""
    total, tokens = trace.num_visual, trace.left
    if not trace.has_groups:
        return f"{tokens} of {total} patches"
    held, extra = int((trace.merged_into >= 0).sum()), tokens - len(trace.kept)
    rest = f", {extra} of them for no patch but the whole picture" if extra else ""
    return f"{tokens} tokens stand for {held} of {total} patches{rest}"


def difference(done: Comparison) -> list[list[Any]]:
    """Tokens of both answers, each with whether it has no partner in the other one."""
    left, right = token_diff(done.baseline.tokens, done.pruned.tokens)
    return [
        [[token, mark] for token, mark in zip(tokens, marks, strict=True)]
        for tokens, marks in ((done.baseline.tokens, left), (done.pruned.tokens, right))
    ]
