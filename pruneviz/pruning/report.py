"""From a finished prefill's state to traces of plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch

from pruneviz.methods.base import Merge
from pruneviz.pruning.rows import Row
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, StageRecord
from pruneviz.trace import StageTrace, Trace


def build_trace(spec: RunSpec, prefill: Prefill, row: Row) -> Trace:
    """Trace of one row of the batch."""
    policy, records = spec.policy, prefill.records(row.number)
    every = range(spec.decoder.num_layers)
    positions = {record.stage.positions for record in records} or {policy.positions}
    left = [[len(r.kept) for r in records if r.stage.layer <= index] for index in every]
    return Trace(
        method=policy.name,
        parameters=deepcopy(policy.parameters),
        positions=positions.pop() if len(positions) == 1 else "mixed",
        num_visual=row.num_visual,
        num_text=row.num_text,
        stages=tuple(_stage(record) for record in records),
        tokens_per_layer=tuple(counts[-1] if counts else row.num_visual for counts in left),
        kv_lengths=tuple(prefill.frames.at(index).length for index in every),
        signals={
            name: _spread(prefill, row, records, values, len(every))
            for name, values in _signals(spec, prefill).items()
        },
        shares=_shares(spec, prefill, row, len(every)),
        newlines=spec.visual.newlines,
    )


def _shares(
    spec: RunSpec, prefill: Prefill, row: Row, num_layers: int
) -> dict[str, tuple[int, ...]]:
    """Over how many tokens of a row TTV's softmax ran in each layer; 0 where it was not read."""
    if "ttv" not in spec.signals or spec.transitions.part == "magnitude":
        return {}
    sizes = [0] * num_layers
    for stretch in prefill.recording.stretches:
        mask = prefill.transition_mask(spec.transitions, stretch.frame)
        size = stretch.frame.length if mask is None else int(mask[row.number].sum())
        for layer in stretch.layers:
            sizes[layer] = size
    return {"ttv": tuple(sizes)}


def _signals(spec: RunSpec, prefill: Prefill) -> dict[str, dict[int, torch.Tensor]]:
    """Recorded signals by layer, counted from 0, each float32 ``[batch, n]``."""
    found: dict[str, dict[int, torch.Tensor]] = {name: {} for name in spec.signals}
    for stretch in prefill.recording.stretches:
        if "ttv" in found:
            mask = prefill.transition_mask(spec.transitions, stretch.frame)
            values = stretch.ttv(spec.transitions, mask, stretch.layers)
            found["ttv"] |= zip(stretch.layers, values, strict=True)
        if "residual" in found:
            found["residual"] |= zip(stretch.layers, stretch.residual(), strict=True)
    if "iga" in found:
        found["iga"] = prefill.recording.iga
    return found


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
    prefill: Prefill,
    row: Row,
    records: list[StageRecord],
    values: dict[int, torch.Tensor],
    num_layers: int,
) -> np.ndarray:
    """Per-layer values of one row's visual tokens, ``[layers, num_visual]``."""
    out = np.full((num_layers, row.num_visual), np.nan, dtype=np.float32)
    if not row.num_visual:
        return out
    for index, value in values.items():
        places, tokens = held_at(prefill, row, records, index)
        known = tokens >= 0
        out[index, tokens[known]] = _array(value[row.number, places], np.float32)[known]
    return out


def held_at(
    prefill: Prefill, row: Row, records: Sequence[StageRecord], index: int
) -> tuple[torch.Tensor, np.ndarray]:
    """The visual tokens of a row that a layer sees.

    Parameters
    ----------
    prefill, row, records
        The prompt, one row of it, and that row's stages.
    index : int
        The layer's, from 0.

    Returns
    -------
    places : torch.Tensor
        Int64 ``[n]``: where they stand in the layer's sequence.
    tokens : np.ndarray
        Int64 ``[n]``: which original token each holds; -1 for none (a CLS token).
    """
    slots = tokens = np.arange(row.num_visual)
    for record in records:
        if record.stage.layer <= index:
            slots, tokens = _array(record.kept, np.int64), _array(record.after, np.int64)
    frame = prefill.frames.at(index)
    device = frame.columns.device
    columns = torch.from_numpy(row.columns[slots]).to(device)[None]
    places = frame.places(columns, torch.tensor([row.number], device=device))
    return places[0], tokens[slots]


def _array(tensor: torch.Tensor, dtype: type) -> np.ndarray:
    return (
        tensor.detach().cpu().float().numpy().astype(dtype)
        if dtype is np.float32
        else (tensor.detach().cpu().numpy().astype(dtype))
    )
