"""A finished comparison as files: figures, layer maps, a table, traces."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz import render
from pruneviz.engine import Comparison
from pruneviz.engine.bench import Report
from pruneviz.geometry import PatchGrid
from pruneviz.methods.ranges import write_ranges
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MERGED = "Patches of one colour are merged into the token with the dot. "
COLUMNS = ("group", "quantity", "unit", "baseline", "pruned", "pruned_over_baseline")


def figure(
    image: Image.Image, done: Comparison, model: str, grid: PatchGrid | None = None
) -> Figure:
    """Masks, staircase, question, both answers and a caption that says how it was made.

    Parameters
    ----------
    image : PIL.Image.Image
        The original, or a smaller copy with the `grid` that lies on it.
    done : Comparison
        Both runs.
    model : str
        Its name, for the caption.
    """
    titles = [f"Question: {done.question}", f"Baseline: {done.baseline.text}"]
    return render.comparison_figure(
        image,
        grid or done.grid,
        done.baseline.trace,
        done.pruned.trace,
        [*titles, f"{done.pruned.label}: {done.pruned.text}"],
        caption(done, model),
        done.pruned.label,
    )


def layers(done: Comparison, model: str) -> Figure:
    """Every signal of every layer; raises ValueError where none was recorded."""
    title = f"{done.pruned.label} on {model}: {done.question}"
    traces = done.baseline.trace, done.pruned.trace
    return render.layer_figure(*traces, done.grid, title, done.pruned.label)


def caption(done: Comparison, model: str) -> str:
    """What a reader needs to repeat the figure, as one paragraph."""
    trace = done.pruned.trace
    merged = trace.has_groups
    return (
        f"Visual-token pruning with {done.pruned.label} on {model}: {trace.tokens_per_layer[-1]} "
        f"of {trace.num_visual} visual tokens (keep ratio {trace.final_keep_ratio:.3g}) are left "
        f"after the last stage, {trace.layer_average:.1f} per decoder layer on average. "
        f"{'Merged and dropped' if merged else 'Dropped'} patches are grey and faded, hatched "
        f"parts were never seen by the model. {MERGED if merged else ''}{_pin_words(trace)}"
        f"Settings: {describe(trace.method, trace.parameters)}; positions {trace.positions}"
        f"{', newlines as text' if trace.newlines == 'text' else ''}."
    )


def describe(name: str, parameters: Mapping[str, Any]) -> str:
    """A method's settings in one line, such as ``prune_layers 2/3/4, alpha 0.5``."""
    if name == "chain":
        parts = [f"{m['name']} ({describe(m['name'], m)})" for m in parameters["methods"]]
        return ", then ".join(parts)
    if name == "pinned":
        inner = parameters["method"]
        pins = [f"{kind} {write_ranges(parameters[kind])}" for kind in ("keep", "drop")]
        extra = [f"extra {parameters['extra']}"] if parameters["extra"] else []
        shown = [text for text in pins if not text.endswith(" ")]
        return f"{describe(inner['name'], inner)}; pins: {', '.join([*shown, *extra])}"
    hidden = {"name", "num_layers"}
    values = {key: value for key, value in parameters.items() if key not in hidden}
    return ", ".join(f"{key} {_short(value)}" for key, value in values.items()) or "none"


def _pin_words(trace: Trace) -> str:
    """What the marks in the masks mean, with their numbers."""
    words = {"keep": "Disc with a tick: kept", "drop": "Square with a cross: dropped"}
    counts = {kind: len(trace.pins(kind)) for kind in words}
    return "".join(f"{words[kind]} by hand ({n}). " for kind, n in counts.items() if n)


def model_title(name: str) -> str:
    """How a model is called in a caption."""
    return "PruneViz's built-in model" if name == EMBEDDED else name


def table(done: Comparison, model: str, timing: Report | None = None) -> str:
    """Settings, answers, fidelity, cost and, where paired, times as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([*_settings(done, model), *_fidelity(done), *_cost(done), *_times(timing)])
    return text.getvalue()


def signals_table(traces: Mapping[str, Trace]) -> str:
    """Every signal of every layer and visual token as CSV, a line each, traces by their names.

    Shares stand there twice: as they were recorded, and relative to an even share, which alone can
    be compared between runs. Cells of tokens that were dropped before are empty.
    """
    names = list(dict.fromkeys(name for trace in traces.values() for name in trace.signals))
    shared = [n for n in names if any(n in trace.shares for trace in traces.values())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    relative = [f"{name}_relative_to_uniform" for name in shared]
    writer.writerow(["run", "layer", "token", *names, *relative])
    for run, trace in traces.items():
        own = [trace.signals.get(name) for name in names]
        own += [trace.relative(name) if name in trace.signals else None for name in shared]
        for layer in range(len(trace.tokens_per_layer)):
            for token in range(trace.num_visual):
                values = [None if v is None else float(v[layer, token]) for v in own]
                shown = ["" if v is None or v != v else f"{v:.6g}" for v in values]
                writer.writerow([run, layer + 1, token, *shown])
    return text.getvalue()


def write_results(folder: Path, image: Image.Image, done: Comparison, model: str) -> list[Path]:
    """Write answers, traces, table, masks, layer sheets and figures; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    base, pruned = done.baseline.trace, done.pruned.trace
    files = [folder / name for name in ("answers.json", "trace.json", "baseline_trace.json")]
    text = json.dumps(done.to_dict(), indent=2, ensure_ascii=False)
    files[0].write_text(text + "\n", encoding="utf-8")
    pruned.to_json(files[1])
    base.to_json(files[2])
    files.append(folder / "table.csv")
    files[-1].write_text(table(done, model), encoding="utf-8")
    if pruned.signals:
        files.append(folder / "signals.csv")
        text = signals_table({"baseline": base, "pruned": pruned})
        files[-1].write_text(text, encoding="utf-8")
    for number in range(len(pruned.stages)):
        files.append(folder / f"mask_stage{number + 1}.png")
        render.mask_overlay(image, done.grid, pruned, number).save(files[-1])
    for part in done.grid.parts if pruned.has_groups else ():
        suffix = f"_{part.title.replace(' ', '_')}" if part.title else ""
        files.append(folder / f"groups{suffix}.png")
        render.merged_overlay(image, part, pruned).save(files[-1])
    for name, trace in (("baseline", base), ("pruned", pruned)):
        for signal in trace.signals:
            files.append(folder / f"{name}_{signal}.png")
            render.layer_sheet(trace, done.grid, signal).save(files[-1])
    figures = {"figure": figure(image, done, model)}
    if pruned.signals:
        figures["layers"] = layers(done, model)
    for name, drawn in figures.items():
        for suffix in ("pdf", "png"):
            files.append(folder / f"{name}.{suffix}")
            render.save_figure(drawn, files[-1])
    return files


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_short(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _settings(done: Comparison, model: str) -> list[tuple[Any, ...]]:
    trace = done.pruned.trace
    parameters = json.dumps(trace.parameters, ensure_ascii=False)
    return [
        ("settings", "model", "", model, model, ""),
        ("settings", "question", "", done.question, done.question, ""),
        ("settings", "method", "", "baseline", done.pruned.label, ""),
        ("settings", "parameters", "", "", parameters, ""),
        ("answer", "text", "", done.baseline.text, done.pruned.text, ""),
    ]


def _fidelity(done: Comparison) -> list[tuple[Any, ...]]:
    found = done.fidelity
    if found is None:
        return []
    apart = "" if found.first_divergence is None else found.first_divergence + 1
    parting = "" if found.parting_kl is None else found.parting_kl
    own, other = found.baseline_logprob, found.answer_logprob
    return [
        ("fidelity", "same answer", "", "", str(found.exact_match).lower(), ""),
        ("fidelity", "first differing token", "counted from 1", "", apart, ""),
        ("fidelity", "KL divergence of the first token", "nats", "", found.first_token_kl, ""),
        ("fidelity", "KL divergence where the answers part", "nats", "", parting, ""),
        ("fidelity", "largest KL divergence of a token", "nats", "", found.largest_kl, ""),
        ("fidelity", "token of the largest", "counted from 1", "", found.largest_kl_at + 1, ""),
        ("fidelity", "mean log-probability of the baseline's answer", "nats", own, other, ""),
    ]


def _cost(done: Comparison) -> list[tuple[Any, ...]]:
    a, b = done.baseline.cost, done.pruned.cost
    tera = (a.paper_tflops * 1e12, b.paper_tflops * 1e12)
    return [
        _row("visual tokens", "after the last stage", "tokens", a.final_tokens, b.final_tokens),
        _row("visual tokens", "layer average", "tokens", a.layer_average, b.layer_average),
        _row("cost", "FLOPs as the papers count", "FLOPs", *tera),
        _row("cost", "true FLOPs, language model", "FLOPs", a.llm_flops, b.llm_flops),
        _row("cost", "true FLOPs, choosing tokens", "FLOPs", a.scoring_flops, b.scoring_flops),
        _row("cost", "true FLOPs, vision encoder", "FLOPs", a.vision_flops, b.vision_flops),
        _row("cost", "KV cache after the prompt", "bytes", a.kv_bytes, b.kv_bytes),
    ]


def _times(timing: Report | None) -> list[tuple[Any, ...]]:
    """Medians of the pairs; the ratio is the median of the pairs' own."""
    if timing is None:
        return []
    how = f"median of {timing.rounds} pairs"
    return [
        ("time", f"{pair.name}, {how}", "s", *pair.seconds, f"{pair.ratio.middle:.6g}")
        for pair in timing.pairs()
    ]


def _row(group: str, name: str, unit: str, a: float, b: float) -> tuple[Any, ...]:
    return group, name, unit, a, b, f"{b / a:.6g}" if a else ""
