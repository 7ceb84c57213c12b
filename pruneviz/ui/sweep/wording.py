"""What Sweep says of curves, break points and chance, in words."""

from __future__ import annotations

from pruneviz.engine import Curve, Sweep
from pruneviz.engine.curves import Point
from pruneviz.engine.sweeps import CHANCE
from pruneviz.methods.registry import METHODS
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.numbers import percent

VERDICTS = {
    "above": "better than chance",
    "within": "no better than chance",
    "below": "worse than chance",
}


def summary(result: Sweep, runs: int) -> str:
    """The outcome: who gets by with the least compute, who with the fewest patches at the end."""
    known = [(curve, curve.at_break) for curve in result.curves]
    found = [(curve, point) for curve, point in known if point is not None]
    said = [f"Done: {runs} runs."]
    if found:
        least = min(point.layer_average for _, point in found)
        best = [pair for pair in found if pair[1].layer_average == least]
        point, several = best[0][1], len(best) > 1
        said.append(
            f"{_listed([curve.title for curve, _ in best])} {'get' if several else 'gets'} by with "
            f"the least compute: from {point.kept} of {result.num_visual} patches up (layer "
            f"average {percent(least, result.num_visual)}, FLOPs "
            f"{percent(point.total_flops_share)} of the baseline's) "
            f"{'they give' if several else 'it gives'} the baseline's answer."
        )
        fewest = min(point.kept for _, point in found)
        if fewest < point.kept:
            curve, other = min(
                (pair for pair in found if pair[1].kept == fewest),
                key=lambda pair: pair[1].layer_average,
            )
            said.append(
                f"{curve.title} goes down to {fewest} at the end, at a layer average of "
                f"{percent(other.layer_average, result.num_visual)}."
            )
    unlucky = [curve.title for curve in result.curves if no_better(curve, result)]
    if unlucky:
        said.append(
            f"No better than the luckiest of {result.chance[0].draws} random draws of equal "
            f"compute: {_listed(unlucky)}."
        )
    return " ".join(said)


def no_better(curve: Curve, result: Sweep) -> bool:
    """Whether a method does not beat random subsets of equal compute at any budget."""
    found = [result.against_chance(point) for point in curve.points]
    judged = [verdict for verdict in found if verdict is not None]
    return curve.name != CHANCE and bool(judged) and "above" not in judged


def chance(curve: Curve, result: Sweep) -> str:
    """How a curve stands against random subsets of equal compute."""
    if curve.name == CHANCE:
        holds = None
        for band in result.chance:
            if band.same < band.draws:
                break
            holds = band
        if holds is None:
            return "chance itself"
        return f"chance itself: all {holds.draws} draws give it from {holds.kept} up"
    found = [result.against_chance(point) for point in curve.points]
    judged = [verdict for verdict in found if verdict is not None]
    if not judged:
        return "not known at this compute"
    if no_better(curve, result):
        return "no better than the luckiest draw"
    return f"better at {judged.count('above')} of {len(judged)} budgets"


def how(curve: Curve) -> str:
    """How the search for the break point ended."""
    found = curve.break_point
    if found is None:
        return ""
    if found.fails_at == 0:
        text = "Gives the baseline's answer at every count that was run, down to one patch."
    else:
        text = f"Holds at {found.kept}, fails at {found.fails_at}."
    if not found.resolved:
        text += f" Nothing was run between {found.fails_at} and {found.kept}."
    if found.holds_below:
        some = ", ".join(map(str, found.holds_below))
        text += f" Gives it again at {some}: not monotone here."
        if curve.name in METHODS and METHODS[curve.name].card.merges:
            text += (
                " Its tokens are mixtures of patches, so that more of them need not be more like "
                "the baseline's."
            )
    return text


def point_lines(point: Point, result: Sweep) -> list[str]:
    """Everything about one run but its answer."""
    total, apart = result.num_visual, point.parting_kl
    parting = "" if apart is None else f", where they part {apart:.3g}"
    lines = [
        f"{point.kept} of {total} patches at the end ({percent(point.kept, total)})",
        f"layer average {percent(point.layer_average, total)}, FLOPs "
        f"{percent(point.total_flops_share)} (papers: {percent(point.flops_share)})",
        f"log-probability {nats(point.answer_logprob)}, KL of the first token "
        f"{point.first_token_kl:.3g}{parting}, largest {point.largest_kl:.3g}",
    ]
    verdict = result.against_chance(point)
    if verdict is not None and point.method != CHANCE:
        lines.append(f"{VERDICTS[verdict]} at equal compute")
    return lines


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
