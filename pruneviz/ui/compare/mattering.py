"""What Compare says of what matters: its two columns and its lines."""

from __future__ import annotations

from math import sqrt
from typing import Any

from pruneviz.engine import Comparison, Effects, SideBySide
from pruneviz.engine.matters.blocks import blocks_of
from pruneviz.engine.matters.remembering import shared_side
from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.numbers import signed

Told = tuple[str, float | None]
"""What is read, and what is sorted by; None where there is no number."""
NOTHING: Told = ("", None)


def correlation(done: Comparison, result: SideBySide) -> Told:
    """Rank correlation with what was measured; of methods without scores, of what they keep."""
    found = result.judgement_of(done.pruned.trace.method)
    if found is None:
        return NOTHING
    if found.correlation is None:
        return "none", None
    kept = " (kept set)" if found.by == "kept" else ""
    shown = signed(f"{found.correlation:.2f}")
    return f"{shown}{kept}", found.correlation


def shared(done: Comparison, result: SideBySide) -> Told:
    """How many of the blocks that matter most are the method's own best, and how many it keeps."""
    found = result.judgement_of(done.pruned.trace.method)
    if found is None or not found.top:
        return NOTHING
    kept = f"{len(found.top) - len(found.dropped)} kept"
    if found.overlap is None:
        return kept, None
    return f"{len(found.shared)} of {len(found.top)}, {kept}", found.overlap


def bar(result: SideBySide, grid: PatchGrid) -> dict[str, Any] | None:
    """What the line below the table says, and whether its button is there; None for no line."""
    if result.baseline is None:
        return None
    if result.effects is not None:
        return {"button": False, "note": _measured(result.effects)}
    forwards = _forwards(grid)
    return {"button": True, "note": texts.AGAINST_NOTE.format(forwards)} if forwards else None


def summary(result: SideBySide) -> str:
    """The outcome in a sentence: whose scores agree best with what was measured."""
    if result.effects is None:
        return "No method ran, so nothing was measured."
    told = [(one.title, result.judgement_of(one.name)) for one in result.outcomes]
    known = [(t, j.correlation) for t, j in told if j is not None and j.correlation is not None]
    done = f"Done: {result.effects.forwards} forwards."
    if not known:
        return f"{done} Nothing can be told of any method."
    title, best = max(known, key=lambda pair: pair[1])
    shown = signed(f"{best:.2f}")
    # Two standard deviations of Spearman's correlation of what has nothing to do with one another.
    chance = 2 / sqrt(max(1, len(result.effects.blocks) - 1))
    if best < chance:
        return (
            f"{done} No method orders the blocks as they matter: the highest rank correlation is "
            f"{shown}, and chance alone reaches {chance:.2f}. See which top blocks each keeps."
        )
    return f"{done} Highest rank correlation with what matters: {title}, {shown}."


def _measured(effects: Effects) -> str:
    known = effects.values[effects.values > effects.noise]
    most = f"{known.max():.2g} nats" if len(known) else "nothing above rounding"
    return texts.AGAINST_DONE.format(effects.forwards, effects.block, most)


def _forwards(grid: PatchGrid) -> int:
    """Forwards that measuring takes; 0 where it cannot be done."""
    try:
        return len(blocks_of(grid, shared_side(grid)))
    except InputError:
        return 0
