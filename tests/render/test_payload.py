from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render import view_payload
from pruneviz.render.payload import encode_signal, picture_payload, view_window


def unpack(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def decode(packed: dict, count: int) -> np.ndarray:
    codes = unpack(packed["codes"], "<u2").reshape(-1, count).astype(np.float64)
    step = (packed["high"] - packed["low"]) / 65533
    values = np.exp(packed["low"] + (codes - 1) * step) - packed["offset"]
    return np.where(codes == 0, np.nan, values)


def test_payload_is_strict_json_and_complete(image, grid, baseline, pruned) -> None:
    payload = json.loads(json.dumps(view_payload(image, grid, baseline, pruned), allow_nan=False))
    assert payload["image"].startswith("data:image/jpeg;base64,")
    assert (payload["rows"], payload["columns"], payload["tokens"]) == (4, 6, 24)
    np.testing.assert_allclose(unpack(payload["boxes"], "<f4").reshape(-1, 4), grid.boxes)
    first, second = payload["stages"]
    assert first["title"] == "After layer 1"
    state = unpack(second["state"], "u1")
    assert (np.flatnonzero(state == 2) == pruned.kept).all()
    assert (state[0], state[3]) == (0, 1), "fell before; falls here"
    ranks = unpack(second["ranks"], "<i4")
    assert sorted(ranks[ranks > 0]) == list(range(1, second["alive"] + 1))
    assert np.isnan(unpack(second["scores"], "<f4")[0])
    assert [s["name"] for s in payload["signals"]] == ["ttv", "iga", "residual"]


def test_shares_are_sent_relative_to_an_even_one(image, grid, baseline, pruned) -> None:
    sizes = {"ttv": (33, 27, 27, 14, 14)}
    shared = replace(pruned, shares=sizes)
    sent = view_payload(image, grid, replace(baseline, shares={"ttv": (33,) * 5}), shared)
    assert [bool(signal["unit"]) for signal in sent["signals"]] == [True, False, False]
    back = decode(sent["signals"][0]["runs"][1], 24)
    wanted = pruned.signals["ttv"] * np.array(sizes["ttv"])[:, None]
    np.testing.assert_allclose(back, wanted, rtol=2e-3, atol=np.nanmax(wanted) * 2e-6)


def test_first_tokens_of_the_order_are_the_kept_ones(pruned) -> None:
    order = pruned.keep_order
    assert sorted(order) == list(range(24))
    for stage in pruned.stages:
        assert set(order[: len(stage.kept)]) == set(stage.kept)


def test_signals_survive_packing() -> None:
    values = np.random.default_rng(0).lognormal(0, 3, (6, 24))
    values[2, 3:9], values[0, 0] = np.nan, 0.0
    back = decode(encode_signal(values), 24)
    assert (np.isnan(back) == np.isnan(values)).all()
    np.testing.assert_allclose(
        back, values, rtol=2e-3, atol=values[np.isfinite(values)].max() * 2e-6
    )


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.full((2, 3), np.nan), np.ones((1, 1))])
def test_degenerate_signals(values) -> None:
    back = decode(encode_signal(values), values.shape[1])
    np.testing.assert_allclose(back, values, atol=1e-9)


def test_a_baseline_alone_and_a_missing_signal(image, grid, baseline) -> None:
    payload = view_payload(image, grid, baseline, baseline)
    assert payload["stages"] == []


@pytest.mark.parametrize(
    ("size", "seen"), [((20000, 30), (9985, 0, 10015, 30)), ((30, 9000), (0, 4485, 30, 4515))]
)
def test_strips_are_shown_around_what_is_seen(size, seen) -> None:
    grid = PatchGrid.regular(size, 4, 4, seen)
    x0, y0, x1, y1 = view_window(grid)
    assert x0 <= seen[0]
    assert seen[2] <= x1
    assert y0 <= seen[1]
    assert seen[3] <= y1
    assert max((x1 - x0) / (y1 - y0), (y1 - y0) / (x1 - x0)) <= 3.1


def test_ordinary_pictures_are_shown_whole(grid) -> None:
    assert view_window(grid) == (0, 0, 140, 80)


def test_large_pictures_are_sent_small(baseline) -> None:
    size = (4000, 3000)
    grid = PatchGrid.regular(size, 4, 6, (0, 0, *size))
    payload = view_payload(Image.new("RGB", size, "red"), grid, baseline, baseline)
    assert len(payload["image"]) < 60_000
    assert payload["size"] == [4000, 3000]


def test_a_picture_seen_twice_has_two_grids() -> None:
    view = (0.0, 0.0, 40.0, 20.0)
    whole = replace(
        PatchGrid.regular((40, 20), 1, 2, view), token_cell=np.array([0, 1, -1, -1]), title="whole"
    )
    tiles = replace(
        PatchGrid.regular((40, 20), 1, 1, view),
        token_cell=np.array([-1, -1, 0, -1]),
        title="tiles",
        others=(whole,),
    )
    sent = picture_payload(Image.new("RGB", (40, 20)), tiles)
    assert [part["title"] for part in sent["parts"]] == ["tiles", "whole"]
    assert [(part["rows"], part["columns"]) for part in sent["parts"]] == [(1, 1), (1, 2)]
    assert (sent["rows"], sent["columns"], sent["tokens"]) == (1, 1, 4)
    assert tiles.token_box(1) == (20.0, 0.0, 40.0, 20.0)
    assert tiles.token_box(3) is None
    assert tiles.resized((80, 40)).token_box(1) == (40.0, 0.0, 80.0, 40.0)
    assert picture_payload(Image.new("RGB", (40, 20)), whole)["parts"] == []
