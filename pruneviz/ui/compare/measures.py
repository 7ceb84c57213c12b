"""What is told of every method in Compare: the table's columns, which are the cards' lines too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pruneviz.engine import Comparison, SideBySide
from pruneviz.ui.shared.costs import count
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.numbers import percent

Told = tuple[str, float | None]
"""What is read, and what is sorted by; None where there is no number."""
NOTHING: Told = ("", None)


@dataclass(frozen=True)
class Measure:
    """A column.

    Attributes
    ----------
    title, note : str
        Its name, and what it says.
    best : {"high", "low"}
        Which end is good: what a first press sorts to the top.
    tell : callable
        Takes one method's run and the comparison.
    """

    title: str
    note: str
    best: Literal["high", "low"]
    tell: Callable[[Comparison, SideBySide], Told]


def _left(done: Comparison, result: SideBySide) -> Told:
    left = done.pruned.cost.final_tokens
    return f"{left} ({percent(left, result.num_visual)})", left


def _average(done: Comparison, result: SideBySide) -> Told:
    average = done.pruned.cost.layer_average
    shown = count(round(average, 1))
    return f"{shown} ({percent(average, result.num_visual)})", average


def _share(name: str) -> Callable[[Comparison, SideBySide], Told]:
    def tell(done: Comparison, _: SideBySide) -> Told:
        part, whole = (getattr(a.cost, name) for a in (done.pruned, done.baseline))
        return percent(part, whole), part / whole if whole else None

    return tell


def _logprob(done: Comparison, _: SideBySide) -> Told:
    found = done.fidelity
    if found is None:
        return NOTHING
    drop = found.answer_logprob - found.baseline_logprob
    return f"{nats(found.answer_logprob)} ({nats(drop, '+')})", found.answer_logprob


def _kl(done: Comparison, _: SideBySide) -> Told:
    found = done.fidelity
    return NOTHING if found is None else (f"{found.first_token_kl:.3g}", found.first_token_kl)


def _agreement(done: Comparison, result: SideBySide) -> Told:
    name = done.pruned.trace.method
    if name in result.merged_names:
        return "merged", None
    found = result.agreement_of(name)
    return NOTHING if found is None else (f"{found:.2f}", found)


# Further measures of fidelity, such as the divergence at other tokens, go beside the first.
MEASURES = (
    Measure(
        "Log-probability",
        "Fidelity: how likely the pruned model finds the baseline's answer (nats per token; 0 = "
        "certain); in brackets, the change against the baseline.",
        "high",
        _logprob,
    ),
    Measure(
        "First-token KL",
        "Fidelity: how far the first answer token's probabilities moved (nats; 0 = not at all).",
        "low",
        _kl,
    ),
    Measure(
        "Left at the end",
        "Visual tokens still in the model at its last layer, and their share. Of methods that "
        "merge, a token stands for several patches.",
        "low",
        _left,
    ),
    Measure(
        "Layer average",
        "Visual tokens averaged over all layers: what the work is roughly proportional to.",
        "low",
        _average,
    ),
    Measure(
        "FLOPs, all of it",
        "True FLOPs against the baseline's: vision encoder, text, language model, and choosing.",
        "low",
        _share("total_flops"),
    ),
    Measure(
        "FLOPs, papers",
        "Against the baseline's, as the papers count: visual tokens in the language model only, "
        "choosing not counted.",
        "low",
        _share("paper_tflops"),
    ),
    Measure(
        "KV cache",
        "Memory that the prompt's keys and values take while answering, against the baseline's.",
        "low",
        _share("kv_bytes"),
    ),
    Measure(
        "Agreement",
        "Mean overlap of the kept patches with those of each other method that chooses (1 = the "
        "same patches, 0 = none in common). Merged tokens are no choice of patches.",
        "high",
        _agreement,
    ),
)


def columns() -> list[dict[str, Any]]:
    """Title, note and good end of every column."""
    return [{"title": m.title, "note": m.note, "best": m.best} for m in MEASURES]


def told(done: Comparison, result: SideBySide) -> list[dict[str, Any]]:
    """One method's text and number for each column."""
    return [
        {"text": text, "value": value}
        for text, value in (measure.tell(done, result) for measure in MEASURES)
    ]
