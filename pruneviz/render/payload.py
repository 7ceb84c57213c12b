"""What the page's canvas draws, packed into one compact JSON value.

Arrays travel as base64 of little-endian bytes. Signals are 16-bit codes on a log scale: about
four significant digits over six powers of ten, a quarter of the size of their text.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import cividis
from pruneviz.render.flow import Flow, flow_of
from pruneviz.render.labels import SHARE_UNIT, SIGNAL_NOTES, SIGNAL_TITLES, stage_title
from pruneviz.render.threshold import threshold
from pruneviz.trace import Trace

MAX_SIDE = 1024
MAX_ASPECT = 3.0
CODES = 65534
FLOOR = 1e-6
FELL, DROPPED, KEPT = 0, 1, 2


def view_payload(
    image: Image.Image,
    grid: PatchGrid,
    baseline: Trace,
    pruned: Trace,
    *,
    terms: Mapping[str, str] | None = None,
    scored_by: str = "",
) -> dict[str, Any]:
    """Pack two runs on one image.

    Parameters
    ----------
    image : PIL.Image.Image
        The original.
    grid : PatchGrid
        Where each token lies.
    baseline, pruned : Trace
        Both runs.
    terms : mapping of str to str, optional
        What each component of the score says of a patch.
    scored_by : str
        How the score is made of them, in a sentence.

    Returns
    -------
    dict
        JSON-serialisable; see the keys below. ``order`` is the run's `keep_order`: its first k
        tokens are what the page previews for another budget.
    """
    return {
        "format": 1,
        **picture_payload(image, grid),
        "method": pruned.method,
        "stages": [_stage(number, pruned) for number in range(len(pruned.stages))],
        "flow": _flow(flow_of(pruned)),
        "order": pack(pruned.keep_order, "<i4"),
        "perLayer": [list(baseline.tokens_per_layer), list(pruned.tokens_per_layer)],
        "signals": _signals(baseline, pruned),
        "notes": dict(terms or {}),
        "formula": scored_by,
    }


def picture_payload(image: Image.Image, grid: PatchGrid) -> dict[str, Any]:
    """Pack the picture, where each patch lies on it, and the colour map."""
    window = view_window(grid)
    return {
        "image": _data_uri(image, window),
        "window": list(window),
        "size": list(grid.image_size),
        "seen": [float(v) for v in grid.seen],
        "rows": grid.rows,
        "columns": grid.columns,
        "boxes": pack(grid.boxes, "<f4"),
        "cells": pack(grid.token_cell, "<i4"),
        "tokens": grid.num_tokens,
        "colours": pack(cividis(), "u1"),
        "parts": [_part(part) for part in grid.parts] if grid.others else [],
    }


def _part(part: PatchGrid) -> dict[str, Any]:
    return {
        "title": part.title,
        "rows": part.rows,
        "columns": part.columns,
        "seen": [float(v) for v in part.seen],
        "boxes": pack(part.boxes, "<f4"),
        "cells": pack(part.token_cell, "<i4"),
    }


def view_window(grid: PatchGrid) -> tuple[int, int, int, int]:
    """Part of the image that is shown: all of it unless it is much longer than wide.

    Of a strip, the part around what the model saw is shown, at most three to one.
    """
    width, height = grid.image_size
    left, top, right, bottom = grid.seen
    x0, x1 = _limit(width, height * MAX_ASPECT, left, right)
    y0, y1 = _limit(height, width * MAX_ASPECT, top, bottom)
    return x0, y0, x1, y1


def _limit(length: int, most: float, start: float, end: float) -> tuple[int, int]:
    if length <= most:
        return 0, length
    size = min(float(length), max(most, end - start))
    begin = min(max((start + end - size) / 2, 0.0), length - size)
    return int(begin), min(length, max(int(begin) + 1, round(begin + size)))


def _stage(number: int, trace: Trace) -> dict[str, Any]:
    stage, num_visual = trace.stages[number], trace.num_visual
    state = np.full(num_visual, FELL, dtype=np.uint8)
    state[stage.alive] = DROPPED
    state[stage.kept] = KEPT
    ranks = np.full(num_visual, -1, dtype=np.int32)
    ranks[stage.ranked(stage.alive)] = np.arange(1, len(stage.alive) + 1)
    # What was kept by hand did not have to reach the cut; merged tokens are not chosen by score.
    cut = stage.cut_without(trace.pins("keep")) if stage.into is None else np.nan
    return {
        "layer": stage.layer,
        "title": stage_title(stage.layer),
        "method": stage.method,
        "alive": len(stage.alive) + (trace.stages[number - 1].extra if number else 0),
        "kept": len(stage.kept) + stage.extra,
        "extra": stage.extra,
        "into": None if stage.into is None else _into(stage.into, stage.alive, num_visual),
        "cut": cut if np.isfinite(cut) else None,
        "threshold": threshold(trace, number).to_dict(),
        "notes": list(stage.notes),
        "state": pack(state, "u1"),
        "ranks": pack(ranks, "<i4"),
        "scores": pack(_spread(stage.scores, stage.alive, num_visual), "<f4"),
        "parts": {
            name: pack(_spread(values, stage.alive, num_visual), "<f4")
            for name, values in stage.components.items()
        },
    }


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "text": flow.text,
        "layers": flow.num_layers,
        "extra": list(flow.extra),
        "extraText": flow.extra_text,
        "fates": pack(flow.fates, "u1"),
        "kinds": [
            {
                "end": kind.end,
                "layer": kind.layer,
                "count": len(kind.tokens),
                "text": kind.text,
            }
            for kind in flow.kinds
        ],
    }


def _into(into: np.ndarray, alive: np.ndarray, num_visual: int) -> str:
    holder = np.full(num_visual, -1, dtype=np.int32)
    holder[alive] = into
    return pack(holder, "<i4")


def _spread(values: np.ndarray, alive: np.ndarray, num_visual: int) -> np.ndarray:
    full = np.full(num_visual, np.nan, dtype=np.float32)
    full[alive] = values
    return full


def _signals(baseline: Trace, pruned: Trace) -> list[dict[str, Any]]:
    packed = []
    for name in (n for n in SIGNAL_TITLES if n in baseline.signals or n in pruned.signals):
        runs = [
            trace.relative(name) if name in trace.signals else None for trace in (baseline, pruned)
        ]
        packed.append(
            {
                "name": name,
                "title": SIGNAL_TITLES[name],
                "note": SIGNAL_NOTES[name],
                "unit": SHARE_UNIT if name in pruned.shares else "",
                "runs": [None if values is None else encode_signal(values) for values in runs],
            }
        )
    return packed


def encode_signal(values: np.ndarray) -> dict[str, Any]:
    """Pack non-negative values ``[layers, tokens]`` as 16-bit log codes, 0 = no value.

    ``value = exp(low + (code - 1) * (high - low) / 65533) - offset``
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    shown = np.where(known, values, 0.0).clip(0.0)
    offset = max(float(shown.max(initial=0.0)) * FLOOR, 1e-30)
    logs = np.log(shown + offset)
    low = float(logs[known].min()) if known.any() else 0.0
    high = float(logs[known].max()) if known.any() else 0.0
    span = high - low
    unit = (logs - low) / span if span > 0 else np.zeros_like(logs)
    codes = np.where(known, 1 + np.rint(unit.clip(0, 1) * (CODES - 1)), 0)
    return {
        "layers": values.shape[0],
        "low": low,
        "high": high,
        "offset": offset,
        "codes": pack(codes, "<u2"),
    }


def pack(values: np.ndarray, dtype: str) -> str:
    """Base64 of an array's bytes."""
    return base64.b64encode(np.ascontiguousarray(values).astype(dtype).tobytes()).decode("ascii")


def _data_uri(image: Image.Image, window: tuple[int, int, int, int]) -> str:
    part = image.convert("RGB").crop(window)
    part.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    part.save(data, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")
