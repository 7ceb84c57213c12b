"""Several methods set against one map of what matters."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from pruneviz.engine.matters.remembering import known_map, remembered_map, shared_side
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings
from pruneviz.engine.session import Session
from pruneviz.engine.sidebyside import CompareEvent, SideBySide


def set_against(
    session: Session, prepared: Prepared, result: SideBySide, settings: Settings | None = None
) -> Generator[CompareEvent]:
    """Measure what matters once and hold every method of a comparison against it, streamed.

    The map is taken from the session's memory where it holds one of this question. The last event
    is ``"done"``, with the map in its result. Closing the generator stops the measuring.

    Parameters
    ----------
    session, prepared
        Those of the comparison.
    result : SideBySide
        What was compared; where no method ran, nothing is measured.
    settings : Settings, optional
        How the baseline was answered; default: as in :func:`compare_many`.

    Raises
    ------
    InputError
        If the picture has no patch that can be taken away.
    """
    if result.baseline is not None:
        side = shared_side(prepared.grid)
        running = remembered_map(session, prepared, block=side, settings=settings)
        with closing(running) as maps:
            for effects in maps:
                if effects.finished:
                    result = replace(result, effects=effects)
                else:
                    told = f"{effects.done} of {effects.forwards} forwards"
                    yield CompareEvent("status", f"Taking patches away: {told} …")
    yield CompareEvent("done", result=result)


def with_known_map(session: Session, prepared: Prepared, result: SideBySide) -> SideBySide:
    """A comparison with the map that the session remembers; as it is where it holds none."""
    if result.baseline is None:
        return result
    return replace(result, effects=known_map(session, prepared, result.baseline))
