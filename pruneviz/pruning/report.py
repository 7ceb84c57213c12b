"""From a finished prefill's state to traces of plain arrays."""

from __future__ import annotations

import numpy as np
import torch

from pruneviz.methods.base import Method
from pruneviz.pruning.state import Prefill, Sample, StageRecord
from pruneviz.trace import StageTrace, Trace


def build_trace(
    state: Prefill, row: int, method: Method | None, positions: str | None, num_layers: int
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
    )


def _positions(records: list[StageRecord], method: Method | None, override: str | None) -> str:
    if override is not None or method is None:
        return override or "keep"
    modes = {method.positions_at(record.stage) for record in records}
    return modes.pop() if len(modes) == 1 else ("mixed" if modes else method.positions)


def _stage(record: StageRecord) -> StageTrace:
    return StageTrace(
        layer=record.stage.layer,
        method=record.method,
        alive=_array(record.alive, np.int64),
        kept=_array(record.kept, np.int64),
        scores=_array(record.scores.total, np.float32),
        components={k: _array(v, np.float32) for k, v in record.scores.components.items()},
        notes=record.scores.notes,
    )


def _spread(
    state: Prefill, sample: Sample, rows: dict[int, torch.Tensor], num_layers: int
) -> np.ndarray:
    """Per-layer values of one sample's visual tokens, ``[layers, num_visual]``."""
    out = np.full((num_layers, len(sample.columns)), np.nan, dtype=np.float32)
    if not len(sample.columns):
        return out
    for layer, values in rows.items():
        alive = _alive_at(sample, layer)
        places = state.frame_at(layer).places(sample.row, sample.columns[alive])
        out[layer, _array(alive, np.int64)] = _array(values[sample.row, places], np.float32)
    return out


def _alive_at(sample: Sample, layer: int) -> torch.Tensor:
    """Visual tokens that a decoder layer (0-based) saw."""
    alive = torch.arange(len(sample.columns), device=sample.columns.device)
    for record in sample.stages:
        if record.stage.layer <= layer:
            alive = record.kept
    return alive


def _array(tensor: torch.Tensor, dtype: type) -> np.ndarray:
    return (
        tensor.detach().cpu().float().numpy().astype(dtype)
        if dtype is np.float32
        else (tensor.detach().cpu().numpy().astype(dtype))
    )
