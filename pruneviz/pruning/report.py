"""From a finished prefill's state to traces of plain arrays."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from pruneviz.methods.base import Merge
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, Selection, StageRecord
from pruneviz.trace import StageTrace, Trace


def build_trace(spec: RunSpec, prefill: Prefill, selection: Selection) -> Trace:
    """Trace of one row of the batch."""
    policy, row, records = spec.policy, selection.row, selection.records
    every = range(spec.decoder.num_layers)
    positions = {record.stage.positions for record in records} or {policy.positions}
    return Trace(
        method=policy.name,
        parameters=deepcopy(policy.parameters),
        positions=positions.pop() if len(positions) == 1 else "mixed",
        num_visual=row.num_visual,
        num_text=row.num_text,
        stages=tuple(_stage(record) for record in records),
        tokens_per_layer=tuple(len(selection.seen_at(index)[0]) for index in every),
        kv_lengths=tuple(prefill.frames.at(index).length for index in every),
        signals={
            name: _spread(prefill, selection, values, len(every))
            for name, values in prefill.recording.signals.items()
        },
        newlines=spec.visual.newlines,
    )


def _stage(record: StageRecord) -> StageTrace:
    """A stage in original indices, ascending; tokens that stand for none are only counted."""
    alive = _array(record.before[record.alive], np.int64)
    kept = _array(record.after[record.kept], np.int64)
    order = np.argsort(alive, kind="stable")[int((alive < 0).sum()) :]
    scores = record.scores
    return StageTrace(
        layer=record.stage.layer,
        method=record.stage.name,
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
    prefill: Prefill, selection: Selection, values: dict[int, torch.Tensor], num_layers: int
) -> np.ndarray:
    """Per-layer values of one row's visual tokens, ``[layers, num_visual]``."""
    row = selection.row
    out = np.full((num_layers, row.num_visual), np.nan, dtype=np.float32)
    if not row.num_visual:
        return out
    for index, value in values.items():
        slots, origin = selection.seen_at(index)
        places = selection.places(prefill.frames.at(index), slots)
        tokens = _array(origin[slots], np.int64)
        known = tokens >= 0
        out[index, tokens[known]] = _array(value[row.number, places], np.float32)[known]
    return out


def _array(tensor: torch.Tensor, dtype: type) -> np.ndarray:
    return (
        tensor.detach().cpu().float().numpy().astype(dtype)
        if dtype is np.float32
        else (tensor.detach().cpu().numpy().astype(dtype))
    )
