"""Maps that a session remembers: one serves every method, and whoever asks again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from pruneviz.engine.matters.blocks import blocks_of, fitting
from pruneviz.engine.matters.effects import Effects
from pruneviz.engine.matters.maps import MAX_FORWARDS, what_matters
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Settings
from pruneviz.engine.session import Session
from pruneviz.geometry import PatchGrid

SIDE = 2
"""Patches along a block's side where several methods share a map: single ones rarely move an
answer."""


def remembered_map(
    session: Session,
    prepared: Prepared,
    *,
    block: int | None = None,
    settings: Settings | None = None,
) -> Generator[Effects]:
    """What :func:`what_matters` yields; of a map that is remembered the finished one alone.

    Parameters and errors are those of :func:`what_matters`. A map depends on the answer, not on
    how it was asked for: runs that end alike share one.
    """
    how = settings or Settings(signals=False)
    side, _ = fitting(prepared.grid, block, MAX_FORWARDS)
    answer = session.baseline(prepared, how)
    found = known_map(session, prepared, answer, side)
    if found is not None:
        yield found
        return
    with closing(what_matters(session, prepared, block=side, settings=how)) as maps:
        for found in maps:
            yield found
    if found is not None and found.finished:
        with session.alone():
            session.memory.put(_key(prepared, answer, side), found)


def known_map(
    session: Session, prepared: Prepared, answer: Answer, block: int | None = None
) -> Effects | None:
    """A finished map of a question that is remembered, None where there is none.

    Of blocks of that side; by default those that several methods share.
    """
    side = block or shared_side(prepared.grid)
    with session.alone():
        found: Effects | None = session.memory.get(_key(prepared, answer, side))
    return found


def shared_side(grid: PatchGrid) -> int:
    """Side of the blocks of a map that several methods are held against.

    `SIDE`, or the least above it of which `MAX_FORWARDS` are enough.
    """
    few = len(blocks_of(grid, SIDE)) <= MAX_FORWARDS
    return fitting(grid, SIDE if few else None, MAX_FORWARDS)[0]


def _key(prepared: Prepared, answer: Answer, side: int) -> tuple[object, ...]:
    return "taken", prepared.key, answer.token_ids, side
