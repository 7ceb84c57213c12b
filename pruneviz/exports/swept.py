"""A sweep as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz.engine import Curve, Sweep
from pruneviz.exports.files import csv_text, json_text
from pruneviz.geometry import PatchGrid
from pruneviz.methods.registry import METHODS, controls
from pruneviz.render import Line, Spread, save_figure, styles, sweep_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    "row",
    "method",
    "keep_ratio",
    "kept",
    "num_visual",
    "layer_average",
    "total_flops_share",
    "paper_flops_share",
    "same_answer",
    "answer_logprob",
    "first_token_kl",
    "parting_kl",
    "largest_kl",
    "searched",
    "against_chance",
    "answer",
    "break_point",
    "fails_at",
    "draws",
    "draws_same",
    "lowest_logprob",
    "median_logprob",
    "highest_logprob",
)


def write(path: Path, result: Sweep, model: str, image: Image.Image, grid: PatchGrid) -> None:
    """Write what the path's name ends with: ``table.csv``, ``values.json`` or a figure.

    Picture and grid are those of every other result; curves need neither.
    """
    if path.suffix == ".csv":
        path.write_text(table(result), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json_text({"model": model, **result.to_dict()}), encoding="utf-8")
    else:
        save_figure(figure(result, model), path)


def table(result: Sweep) -> str:
    """A line for every run, every break point and every budget of the random draws."""
    rows = [row for curve in result.curves for row in _rows(curve, result)]
    rows += [
        {
            "row": "chance",
            "method": "random",
            "keep_ratio": band.keep_ratio,
            "kept": band.kept,
            "num_visual": result.num_visual,
            "draws": band.draws,
            "draws_same": band.same,
            **dict(zip(COLUMNS[-3:], band.answer_logprob, strict=True)),
        }
        for band in result.chance
    ]
    return csv_text(COLUMNS, ([row.get(name) for name in COLUMNS] for row in rows))


def figure(result: Sweep, model: str) -> Figure:
    """Log-probability over budgets, with a caption that says how it was made.

    Raises
    ------
    ValueError
        If nothing was run.
    """
    said = result.baseline.text if result.baseline else ""
    titles = [f"Question: {result.question}", f"Baseline: {said}"]
    lines = [_line(curve, result.num_visual) for curve in result.curves]
    return sweep_figure(
        lines, result.baseline_logprob, _spread(result), titles, caption(result, model)
    )


def caption(result: Sweep, model: str) -> str:
    """What a reader needs to read the figure."""
    drawn = (
        "Band: random subsets from the lowest to the highest, dotted their median. "
        if result.chance
        else ""
    )
    return (
        f"Visual-token pruning on {model}, published settings, of {result.num_visual} visual "
        f"tokens. Rings: break points, from which on up to all tokens every run gave the "
        f"baseline's answer, token for token. {drawn}Log-probability: nats per token of the "
        "baseline's answer."
    )


def _line(curve: Curve, total: int) -> Line:
    points = curve.points[::-1]
    found = curve.break_point
    return Line(
        curve.title,
        tuple(100 * point.kept / total for point in points),
        tuple(100 * point.layer_average / total for point in points),
        tuple(point.answer_logprob for point in points),
        100 * found.kept / total if found else None,
        styles(list(METHODS), controls())[curve.name],
    )


def _spread(result: Sweep) -> Spread | None:
    bands = result.chance[::-1]
    if not bands:
        return None
    low, middle, high = zip(*(band.answer_logprob for band in bands), strict=True)
    kept = tuple(100 * band.kept / result.num_visual for band in bands)
    return Spread(kept, low, middle, high, bands[0].draws)


def _rows(curve: Curve, result: Sweep) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "row": "run",
            "method": curve.name,
            "keep_ratio": point.keep_ratio,
            "kept": point.kept,
            "num_visual": result.num_visual,
            "layer_average": point.layer_average,
            "total_flops_share": point.total_flops_share,
            "paper_flops_share": point.flops_share,
            "same_answer": str(point.exact_match).lower(),
            "answer_logprob": point.answer_logprob,
            "first_token_kl": point.first_token_kl,
            "parting_kl": point.parting_kl,
            "largest_kl": point.largest_kl,
            "searched": str(point.searched).lower(),
            "against_chance": result.against_chance(point),
            "answer": point.text,
        }
        for point in curve.points
    ]
    found, at = curve.break_point, curve.at_break
    if found is not None:
        rows.append(
            {
                "row": "break point",
                "method": curve.name,
                "num_visual": result.num_visual,
                "layer_average": at.layer_average if at else result.num_visual,
                "break_point": found.kept,
                "fails_at": found.fails_at,
            }
        )
    return rows
