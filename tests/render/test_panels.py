from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np

from pruneviz.render import panel, panels_payload


def unpack(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def test_a_panel_holds_the_final_mask_and_an_order(pruned) -> None:
    packed = panel(pruned)
    state, order = unpack(packed["state"], "u1"), unpack(packed["order"], "<i4")
    assert np.flatnonzero(state == 2).tolist() == pruned.kept.tolist()
    assert sorted(order) == list(range(24))
    assert set(order[: packed["kept"]]) == set(pruned.kept)
    assert packed["holders"] is None


def test_an_unpruned_run_keeps_everything(baseline) -> None:
    packed = panel(baseline)
    assert packed["kept"] == 24
    assert (unpack(packed["state"], "u1") == 2).all()


def test_a_panel_of_a_method_that_merges_holds_its_groups(pruned) -> None:
    into = np.full(24, 5)
    into[[8, 9]] = 8, -1
    stage = replace(pruned.stages[0], layer=0, kept=np.array([5, 8]), into=into, extra=1)
    packed = panel(replace(pruned, stages=(stage,)))
    state, holders = unpack(packed["state"], "u1"), unpack(packed["holders"], "<i4")
    assert np.flatnonzero(state == 2).tolist() == [5, 8]
    assert np.flatnonzero(state == 1).tolist() == [9]
    assert (state == 3).sum() == 21
    assert holders.tolist() == into.tolist()
    assert packed["kept"] == 3


def test_panels_are_strict_json(image, grid, pruned) -> None:
    counts = np.arange(24) % 3
    payload = panels_payload(
        image, grid, [panel(pruned)], counts, ["A", "B"], np.array([[1, 0.25], [0.25, 1]])
    )
    back = json.loads(json.dumps(payload, allow_nan=False))
    assert unpack(back["agreement"], "<i4").tolist() == counts.tolist()
    assert back["overlaps"][0][1] == 0.25
    assert back["tokens"] == 24
