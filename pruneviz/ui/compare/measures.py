"""What is told of every method in Compare: the table's columns, which are the cards' lines too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pruneviz.engine import Comparison, SideBySide
from pruneviz.ui.compare.mattering import NOTHING, Told, correlation, shared
from pruneviz.ui.shared.costs import count
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.numbers import percent


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


def _kl(name: str) -> Callable[[Comparison, SideBySide], Told]:
    def tell(done: Comparison, _: SideBySide) -> Told:
        value = getattr(done.fidelity, name) if done.fidelity else None
        return NOTHING if value is None else (f"{value:.2g}", value)

    return tell


def _agreement(done: Comparison, result: SideBySide) -> Told:
    name = done.pruned.trace.method
    if name in result.merged_names:
        return "merged", None
    found = result.agreement_of(name)
    return NOTHING if found is None else (f"{found:.2f}", found)


MEASURES = (
    Measure(
        "Log-probability",
        "Fidelity: how likely the pruned model finds the baseline's answer (nats per token; 0 = "
        "certain); in brackets, the change against the baseline.",
        "high",
        _logprob,
    ),
    Measure(
        "KL, first token",
        "Fidelity: how far the first answer token's probabilities moved (nats; 0 = not at all).",
        "low",
        _kl("first_token_kl"),
    ),
    Measure(
        "KL, where they part",
        "The same at the first token that differs, after the words that both answers share.",
        "low",
        _kl("parting_kl"),
    ),
    Measure(
        "KL, largest",
        "The largest over the tokens of the baseline's answer, its words before each given.",
        "low",
        _kl("largest_kl"),
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


MATTERS = (
    Measure(
        "What matters",
        "Rank correlation of the method's scores, at its first stage, with what was measured: how "
        "much less likely the baseline's answer becomes when a block of patches is taken away (1 = "
        "the same order, 0 = none in common). Where the scores say no more than who is kept, the "
        "kept set takes their place.",
        "high",
        correlation,
    ),
    Measure(
        "Top blocks",
        "Of the blocks that matter most, at most ten, how many are among as many that the method "
        "scores highest; and of how many anything is left in the end.",
        "high",
        shared,
    ),
)
"""Columns that are there once it was measured."""


def measures(result: SideBySide) -> tuple[Measure, ...]:
    """The columns of a comparison."""
    return MEASURES if result.effects is None else (*MEASURES, *MATTERS)


def columns(result: SideBySide) -> list[dict[str, Any]]:
    """Title, note and good end of every column."""
    return [{"title": m.title, "note": m.note, "best": m.best} for m in measures(result)]


def told(done: Comparison, result: SideBySide) -> list[dict[str, Any]]:
    """One method's text and number for each column."""
    return [
        {"text": text, "value": value}
        for text, value in (measure.tell(done, result) for measure in measures(result))
    ]
