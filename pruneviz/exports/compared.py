"""Several methods under one budget, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz.engine import Comparison, Outcome, SideBySide
from pruneviz.exports.files import csv_text, json_text
from pruneviz.geometry import PatchGrid
from pruneviz.methods.registry import METHODS, controls
from pruneviz.render import SidePanel, save_figure, side_by_side_figure, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    "method",
    "title",
    "problem",
    "answer",
    "same_answer",
    "answer_logprob",
    "baseline_logprob",
    "first_token_kl",
    "parting_kl",
    "largest_kl",
    "final_tokens",
    "final_keep_ratio",
    "layer_average",
    "merged",
    "total_flops",
    "total_flops_share",
    "paper_flops",
    "paper_flops_share",
    "kv_bytes",
    "kv_share",
    "agreement",
    "matters_correlation",
    "matters_by",
    "matters_top",
    "matters_shared",
    "matters_dropped",
)
BUDGETS = {"final": "of the visual tokens left at the end", "compute": "of them per layer"}


def write(path: Path, result: SideBySide, model: str, image: Image.Image, grid: PatchGrid) -> None:
    """Write what the path's name ends with: ``table.csv``, ``values.json`` or a figure."""
    if path.suffix == ".csv":
        path.write_text(table(result), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json_text({"model": model, **result.to_dict()}), encoding="utf-8")
    else:
        save_figure(figure(result, model, image, grid), path)


def table(result: SideBySide) -> str:
    """One line a method, numbers unrounded."""
    rows = [_row(outcome, result) for outcome in result.outcomes]
    return csv_text(COLUMNS, ([row.get(name) for name in COLUMNS] for row in rows))


def figure(result: SideBySide, model: str, image: Image.Image, grid: PatchGrid) -> Figure:
    """Masks side by side with question, answers and a caption that says how it was made.

    Raises
    ------
    ValueError
        If no method could meet the budget.
    """
    looks = styles(list(METHODS), controls())
    panels = [
        SidePanel(outcome.title, done.pruned.trace, _lines(done), looks[outcome.name])
        for outcome, done in ((o, o.comparison) for o in result.outcomes)
        if done is not None
    ]
    said = result.baseline.text if result.baseline else ""
    titles = [f"Question: {result.question}", f"Baseline: {said}"]
    return side_by_side_figure(image, grid, panels, titles, caption(result, model))


def caption(result: SideBySide, model: str) -> str:
    """What a reader needs to repeat the figure."""
    merged = (
        "Of methods that merge, patches of one colour went into the token with the dot. "
        if result.merged_names
        else ""
    )
    return (
        f"Visual-token pruning on {model} with {100 * result.budget.share:.4g} % "
        f"{BUDGETS[result.budget.kind]}, of {result.num_visual}; published settings. Dropped "
        f"patches are grey and dotted. {merged}FLOPs: true ones of encoder, language model and "
        "choosing, against the baseline's."
    )


def _lines(done: Comparison) -> tuple[str, ...]:
    a, b = done.baseline.cost, done.pruned.cost
    same = done.fidelity is not None and done.fidelity.exact_match
    lines = [f"{'=' if same else '≠'} {done.pruned.text or '(empty answer)'}"]
    if done.fidelity is not None:
        lines.append(f"log-probability {done.fidelity.answer_logprob:.3g}")
    flops = f"FLOPs {100 * b.total_flops / a.total_flops:.3g} %"
    lines.append(f"{b.final_tokens} left, average {b.layer_average:.3g}, {flops}")
    return tuple(lines)


def _row(outcome: Outcome, result: SideBySide) -> dict[str, Any]:
    row: dict[str, Any] = {"method": outcome.name, "title": outcome.title}
    done = outcome.comparison
    if done is None:
        return row | {"problem": outcome.problem}
    a, b, trace = done.baseline.cost, done.pruned.cost, done.pruned.trace
    row |= {
        "answer": done.pruned.text,
        "final_tokens": b.final_tokens,
        "final_keep_ratio": trace.final_keep_ratio,
        "layer_average": b.layer_average,
        "merged": str(trace.has_groups).lower(),
        "total_flops": b.total_flops,
        "total_flops_share": b.total_flops / a.total_flops,
        "paper_flops": b.paper_tflops * 1e12,
        "paper_flops_share": b.paper_tflops / a.paper_tflops if a.paper_tflops else None,
        "kv_bytes": b.kv_bytes,
        "kv_share": b.kv_bytes / a.kv_bytes,
        "agreement": result.agreement_of(outcome.name),
    }
    judged = result.judgement_of(outcome.name)
    if judged is not None:
        row |= {
            "matters_correlation": judged.correlation,
            "matters_by": judged.by,
            "matters_top": len(judged.top),
            "matters_shared": len(judged.shared) if judged.favourites else None,
            "matters_dropped": len(judged.dropped),
        }
    if done.fidelity is not None:
        found = done.fidelity
        row |= {
            "same_answer": str(found.exact_match).lower(),
            "answer_logprob": found.answer_logprob,
            "baseline_logprob": found.baseline_logprob,
            "first_token_kl": found.first_token_kl,
            "parting_kl": found.parting_kl,
            "largest_kl": found.largest_kl,
        }
    return row
