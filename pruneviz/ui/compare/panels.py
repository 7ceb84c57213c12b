"""A method's card in the Compare tab, as plain values; the page's script lays them out."""

from __future__ import annotations

from typing import Any

from pruneviz.engine import Comparison, Outcome
from pruneviz.engine.budgets import KINDS
from pruneviz.render import panel
from pruneviz.ui.shared.answers import token_diff
from pruneviz.ui.shared.costs import count
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.previews import previews


def card(outcome: Outcome, num_visual: int, num_layers: int) -> dict[str, Any]:
    """Title, problem or mask, answer, difference and numbers of one method."""
    found: dict[str, Any] = {"title": outcome.title, "problem": outcome.problem, "ready": False}
    done = outcome.comparison
    if done is None or outcome.method is None:
        return found
    method = outcome.method
    same = done.fidelity is not None and done.fidelity.exact_match
    return {
        **found,
        **panel(done.pruned.trace),
        "previews": previews(method, {}, num_visual, num_layers, KINDS),
        "ready": True,
        "answer": done.pruned.text,
        "same": same,
        "diff": None if same else difference(done),
        "facts": facts(done, num_visual),
    }


def difference(done: Comparison) -> list[list[Any]]:
    """Tokens of both answers, each with whether it has no partner in the other one."""
    left, right = token_diff(done.baseline.tokens, done.pruned.tokens)
    return [
        [[token, mark] for token, mark in zip(tokens, marks, strict=True)]
        for tokens, marks in ((done.baseline.tokens, left), (done.pruned.tokens, right))
    ]


def facts(done: Comparison, num_visual: int) -> list[list[str]]:
    """The card's numbers: name and value."""
    a, b, found = done.baseline.cost, done.pruned.cost, done.fidelity
    rows = [
        ["Kept at the end", f"{b.final_tokens} ({_share(b.final_tokens, num_visual)})"],
        [
            "Layer average",
            f"{count(round(b.layer_average, 1))} ({_share(b.layer_average, num_visual)})",
        ],
        ["FLOPs", _share(b.paper_tflops, a.paper_tflops)],
        ["KV cache", _share(b.kv_bytes, a.kv_bytes)],
    ]
    if found is not None:
        drop = found.answer_logprob - found.baseline_logprob
        rows += [
            ["First-token KL", f"{found.first_token_kl:.3g}"],
            ["Log-probability", f"{nats(found.answer_logprob)} ({nats(drop, '+')})"],
        ]
    return rows


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "none"
