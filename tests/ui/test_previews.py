"""Masks that the page draws for other budgets are those that runs keep."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from pruneviz.engine import Budget, Settings
from pruneviz.engine.budgets import fit
from pruneviz.methods import Pinned, get_method, list_methods
from pruneviz.ui.shared.previews import BEYOND, PERCENTS, kept_at, previews
from tests.ui.conftest import QUESTION

ONE = Settings(max_new_tokens=1, signals=False)


def looked_up(sent, order, kept, kind, percent) -> tuple[list[int], bool]:
    """Patches kept at a whole percent and whether that is sure, as the scripts have it."""
    count, foreseen = sent["counts"][kind][percent - 1], sent["foreseen"]
    if foreseen:
        rows = np.frombuffer(base64.b64decode(foreseen["masks"]), dtype=np.uint8)
        bits = np.unpackbits(rows.reshape(len(foreseen["counts"]), -1), axis=-1)
        return np.flatnonzero(bits[foreseen["counts"].index(count)]).tolist(), True
    sure = (sent["single"] and count == kept) or (sent["nested"] and count < kept)
    return sorted(order[:count].tolist()), sure


@pytest.mark.parametrize("name", list_methods())
def test_mask_and_run_agree(session, picture, name) -> None:
    prepared, layers = session.prepare(picture, QUESTION), session.num_layers
    total = prepared.grid.num_tokens
    ran = get_method(name, num_layers=layers, keep_ratio=0.5)
    trace = session.compare(prepared, ran, ONE).pruned.trace
    sent = previews(ran, {}, total, layers, ("final", "compute"))
    json.dumps(sent, allow_nan=False)
    for kind, percent in (("final", 3), ("final", 37), ("final", 50), ("compute", 60)):
        method = fit(name, Budget(percent / 100, kind), total, layers)
        run = session.compare(prepared, method, ONE).pruned
        kept = run.trace.kept.tolist()
        assert sent["counts"][kind][percent - 1] == run.cost.final_tokens
        drawn, sure = looked_up(sent, trace.keep_order, len(trace.kept), kind, percent)
        assert not sure or drawn == kept


def test_what_is_sure() -> None:
    def sure(name, **settings) -> tuple[bool, bool]:
        method = get_method(name, num_layers=32, keep_ratio=0.25, **settings)
        sent = previews(method, settings, 576, 32)
        return sent["nested"], sent["foreseen"] is not None

    assert sure("random") == sure("fastv") == sure("divprune") == (True, False)
    assert sure("uniform") == (False, True)
    assert sure("transprune") == sure("visionzip") == (False, False)
    assert sure("fopru") == (True, False)
    assert sure("fopru", strategy="row") == (False, False)
    pinned = Pinned(get_method("random", keep_ratio=0.25), keep=[1])
    assert not previews(pinned, {}, 576, 32)["nested"], "of a ranking that pins took part in"


def test_counts_are_rounded_as_the_method_rounds() -> None:
    method = get_method("fastv", num_layers=32, keep_ratio=0.25)
    table = previews(method, {}, 574, 32, ("final", "compute"))["counts"]
    assert table["final"] == [round(574 * percent / 100) for percent in PERCENTS]
    assert table["compute"][0] == BEYOND
    assert table["compute"][99] == 574
    reached = [count for count in table["compute"] if count != BEYOND]
    assert reached == sorted(reached)
    few = previews(get_method("random", keep_ratio=0.5), {}, 64, 32)["counts"]["final"]
    assert few[:3] == [BEYOND, 1, 1]


@pytest.mark.parametrize("percent", [12.5, 33.3, 0.4])
@pytest.mark.parametrize("name", ["uniform", "fastv", "resprune", "transprune"])
def test_between_whole_percents_python_is_asked(session, picture, name, percent) -> None:
    prepared, layers = session.prepare(picture, QUESTION), session.num_layers
    settings = {"alpha": 0.3} if name == "resprune" else {}
    method = get_method(name, num_layers=layers, keep_ratio=percent / 100, **settings)
    law = previews(method, settings, prepared.grid.num_tokens, layers)["law"]
    found = kept_at({**json.loads(json.dumps(law)), "kind": "final", "percent": percent})
    kept = session.compare(prepared, method, ONE).pruned.trace.kept
    assert found["count"] == len(kept)
    if name == "uniform":
        bits = np.unpackbits(np.frombuffer(base64.b64decode(found["mask"]), dtype=np.uint8))
        assert np.flatnonzero(bits).tolist() == kept.tolist()


LAW = {"method": "uniform", "settings": {}, "tokens": 576, "layers": 32}
ASKED = {**LAW, "kind": "final", "percent": 12.5}


@pytest.mark.parametrize(
    "asked",
    [
        None,
        7,
        {},
        {**ASKED, "percent": 150},
        {**ASKED, "percent": "12"},
        {**ASKED, "percent": 0.01},
        {**ASKED, "kind": "flops"},
        {**ASKED, "method": "pinned"},
        {**ASKED, "method": ["uniform"]},
        {**ASKED, "settings": None},
        {**ASKED, "tokens": 10**9},
        {**ASKED, "tokens": 0},
        {**ASKED, "layers": 1e3},
        {**ASKED, "method": "fopru", "settings": {"strategy": ["rank"]}},
    ],
)
def test_nonsense_from_the_browser_is_out_of_reach(asked) -> None:
    assert kept_at(asked) == {"count": BEYOND, "mask": None}


def test_only_options_of_the_page_are_taken() -> None:
    assert kept_at({**ASKED, "settings": {"keep_tokens": 3}})["count"] == 72


def test_little_is_sent() -> None:
    def size(name, tokens) -> int:
        method = get_method(name, num_layers=32, keep_ratio=0.25)
        return len(json.dumps(previews(method, {}, tokens, 32, ("final", "compute"))))

    assert size("transprune", 576) < 1_500
    assert size("uniform", 576) < 20_000
    assert size("uniform", 2_880) < 80_000
