"""From a finished prefill's state to traces of plain arrays."""

from __future__ import annotations

import numpy as np
import torch

from pruneviz.methods.base import Merge, Method
from pruneviz.pruning.state import Prefill, Sample, StageRecord
from pruneviz.trace import StageTrace, Trace


def build_trace(
    state: Prefill,
    row: int,
    method: Method | None,
    positions: str | None,
    num_layers: int,
    newlines: str,
) -> Trace:
    """Trace of one row of the batch."""
    sample = state.samples[row]
    records = sample.stages if len(sample.columns) else []
    counts = [len(sample.columns)] * num_layers
    for record in records:
        for layer in range(record.stage.layer, num_layers):
            counts[layer] = len(record.kept)
    return Trace(
        method=method.name if method else "baseline",
        parameters=method.parameters() if method else {},
        positions=_positions(records, method, positions),
        num_visual=len(sample.columns),
        num_text=sample.num_text,
        stages=tuple(_stage(record) for record in records),
        tokens_per_layer=tuple(counts),
        kv_lengths=tuple(state.frame_at(layer).length for layer in range(num_layers)),
        signals={
            name: _spread(state, sample, rows, num_layers) for name, rows in state.recorded.items()
        },
        newlines=newlines,
    )


def _positions(records: list[StageRecord], method: Method | None, override: str | None) -> str:
    if override is not None or method is None:
        return override or "keep"
    modes = {method.positions_at(record.stage) for record in records}
    return modes.pop() if len(modes) == 1 else ("mixed" if modes else method.positions)


def _stage(record: StageRecord) -> StageTrace:
    """A stage in original indices, ascending; tokens that stand for none are only counted."""
    alive = _array(record.before[record.alive], np.int64)
    kept = _array(record.after[record.kept], np.int64)
    order = np.argsort(alive, kind="stable")[int((alive < 0).sum()) :]
    scores = record.scores
    return StageTrace(
        layer=record.stage.layer,
        method=record.method,
        alive=alive[order],
        kept=np.sort(kept[kept >= 0]),
        scores=_array(scores.total, np.float32)[order],
        components={k: _array(v, np.float32)[order] for k, v in scores.components.items()},
        notes=scores.notes,
        into=_into(scores.merge, alive)[order] if scores.merge else None,
        extra=int((kept < 0).sum()),
    )


def _into(merge: Merge, alive: np.ndarray) -> np.ndarray:
    """The original token that each alive one went into, -1 where lost or in one without anchor."""
    anchors = _array(merge.anchors, np.int64)
    into = _array(merge.into, np.int64)
    stands_for = np.where(anchors >= 0, alive[np.maximum(anchors, 0)], -1)
    return np.where(into >= 0, stands_for[np.maximum(into, 0)], -1)


def _spread(
    state: Prefill, sample: Sample, rows: dict[int, torch.Tensor], num_layers: int
) -> np.ndarray:
    """Per-layer values of one sample's visual tokens, ``[layers, num_visual]``."""
    out = np.full((num_layers, len(sample.columns)), np.nan, dtype=np.float32)
    if not len(sample.columns):
        return out
    for layer, values in rows.items():
        slots, origin = _alive_at(sample, layer)
        places = state.frame_at(layer).places(sample.row, sample.columns[slots])
        tokens = _array(origin[slots], np.int64)
        known = tokens >= 0
        out[layer, tokens[known]] = _array(values[sample.row, places], np.float32)[known]
    return out


def _alive_at(sample: Sample, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Slots that a decoder layer (0-based) saw, and which original token every slot held."""
    slots = origin = torch.arange(len(sample.columns), device=sample.columns.device)
    for record in sample.stages:
        if record.stage.layer <= layer:
            slots, origin = record.kept, record.after
    return slots, origin


def _array(tensor: torch.Tensor, dtype: type) -> np.ndarray:
    return (
        tensor.detach().cpu().float().numpy().astype(dtype)
        if dtype is np.float32
        else (tensor.detach().cpu().numpy().astype(dtype))
    )
