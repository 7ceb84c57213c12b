"""Where a run's visual tokens end, each in one kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pruneviz.render.flow import flow_of
from pruneviz.trace import Trace


def texts(trace: Trace) -> list[str]:
    return [kind.text for kind in flow_of(trace).kinds]


def test_every_stage_is_a_kind_and_every_token_in_one(pruned) -> None:
    flow = flow_of(pruned)
    assert [kind.text for kind in flow.kinds] == [
        "5 kept to the end",
        "13 dropped after layer 3",
        "6 dropped after layer 1",
    ]
    for number, kind in enumerate(flow.kinds):
        np.testing.assert_array_equal(np.flatnonzero(flow.fates == number), kind.tokens)
    counts = [sum(kind.at(index) for kind in flow.kinds) for index in range(5)]
    assert tuple(counts) == pruned.tokens_per_layer == (24, 18, 18, 5, 5)
    assert flow.text == (
        "Of 24 visual tokens over 5 decoder layers: 5 kept to the end; "
        "13 dropped after layer 3; 6 dropped after layer 1."
    )


def test_where_nothing_falls_there_is_one_kind(baseline) -> None:
    assert texts(baseline) == ["24 kept to the end"]


def test_pins_are_kinds_of_their_own_where_they_ran(pruned) -> None:
    pins = {"keep": (2, 9), "drop": (0, 14), "extra": 1}
    found = texts(replace(pruned, method="pinned", parameters=pins))
    assert found == [
        "2 kept by hand, 1 of them given back",
        "3 kept to the end",
        "12 dropped after layer 3",
        "1 dropped by hand after layer 3",
        "5 dropped after layer 1",
        "1 dropped by hand after layer 1",
    ]


def test_what_is_merged_is_not_dropped_and_what_is_no_patch_is_counted(pruned) -> None:
    first, second = pruned.stages
    into = np.where(np.isin(first.alive, first.kept), first.alive, 1)
    into[first.alive == 4] = -1
    merged = replace(pruned, stages=(replace(first, into=into, extra=2), second))
    assert texts(merged)[2:] == [
        "5 merged into kept ones after layer 1",
        "1 dropped after layer 1",
    ]
    flow = flow_of(merged)
    assert flow.extra == (0, 2, 2, 0, 0)
    assert flow.text.endswith("; 2 more that are no patch.")
