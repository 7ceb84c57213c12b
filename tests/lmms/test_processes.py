"""Costs over several processes."""

from __future__ import annotations

from torch import distributed

from pruneviz.lmms.processes import Part, together


def part(task: str, *flops: float, tokens: int, seconds: float) -> Part:
    found = Part()
    rows = [{"flops": value, "generated": tokens} for value in flops]
    found.add([(task, row) for row in rows], rows[:1], seconds)
    return found


def test_one_process_is_alone() -> None:
    own = part("pope", 1.0, 2.0, tokens=3, seconds=4.0)
    assert together(own) == own
    assert own.tokens == 3  # of the row that was asked now


def test_several_are_one(monkeypatch) -> None:
    parts = [part("pope", 1.0, tokens=3, seconds=4.0), part("pope", 2.0, tokens=5, seconds=9.0)]
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(
        distributed, "all_gather_object", lambda into, own: into.__setitem__(slice(None), parts)
    )
    whole = together(parts[0])
    assert [row["flops"] for row in whole.rows["pope"]] == [1.0, 2.0]
    assert (whole.tokens, whole.seconds) == (8, 9.0)
