"""Which dropped patches, given back, bring the baseline's answer back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from pruneviz.engine.breakpoint import break_point, next_count
from pruneviz.engine.matters.effects import Effects
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Comparison, Settings
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods import Pinned
from pruneviz.methods.base import Method

MAX_RUNS = 24


@dataclass(frozen=True, eq=False)
class Restored:
    """The patches that restore the baseline's answer, as far as they are known.

    Attributes
    ----------
    tokens : tuple of int or None
        Ascending: dropped patches that, kept on top of the method's own number in every layer,
        give the baseline's answer in a real run; None where none were found (yet). Empty where
        nothing need be given back.
    blocks : tuple of int
        The blocks of the map that they are, those with the largest effect first.
    comparison : Comparison or None
        The run that verified them.
    runs : int
        Real runs so far.
    finished : bool
        Whether the search is over.
    minimal : bool
        Whether each of the blocks was tried to be left out, and none of them may.
    method : Pinned or None
        The method with these patches pinned as kept.
    """

    tokens: tuple[int, ...] | None
    blocks: tuple[int, ...]
    comparison: Comparison | None
    runs: int
    finished: bool
    minimal: bool
    method: Pinned | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "tokens": None if self.tokens is None else list(self.tokens),
            "blocks": list(self.blocks),
            "runs": self.runs,
            "finished": self.finished,
            "minimal": self.minimal,
        }


def restore(
    session: Session,
    prepared: Prepared,
    method: Method,
    given: Effects,
    *,
    max_runs: int = MAX_RUNS,
    settings: Settings | None = None,
) -> Generator[Restored]:
    """Give dropped patches back, those first that help most, until the answer is the baseline's.

    Yields what is known after every real run; the last one is finished. Closing the generator
    stops.

    Parameters
    ----------
    session, prepared
        As for the run.
    method : Method
        What pruned; pins that it has stay.
    given : Effects
        Of :func:`what_giving_back_does`, for that method on that question.
    max_runs : int
        Real runs at most.
    settings : Settings, optional
        How answers are generated.

    Raises
    ------
    InputError
        If the map is of taking away, or `max_runs` is no whole number from 1.

    Notes
    -----
    The search doubles the number of blocks until the answer holds, halves the gap down to one
    block, and then leaves out each block, the least helpful first, that the answer does not need.
    That is a small set, which a run verified; it need not be the smallest there is. A method that
    prunes inside the LLM may choose otherwise once it sees more: these are real runs.
    """
    if given.kind != "given":
        raise InputError("Give the map of giving patches back, not of taking them away.")
    if isinstance(max_runs, bool) or not isinstance(max_runs, int) or max_runs < 1:
        raise InputError(f"max_runs must be a whole number from 1, not {max_runs!r}.")
    search = _Search(session, prepared, method, given, max_runs, settings)
    yield from search.shortest()
    yield from search.leaving_out()
    yield search.state(finished=True)


class _Search:
    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        method: Method,
        given: Effects,
        max_runs: int,
        settings: Settings | None,
    ) -> None:
        self._session, self._prepared = session, prepared
        self._before = Pinned.of(method)
        self._given, self._most = given, max_runs
        self._settings = settings or Settings(signals=False)
        self._order = [n for n in given.order.tolist() if given.values[n] > given.noise]
        self._found: list[int] | None = None
        self._comparison: Comparison | None = None
        self._runs, self._minimal = 0, False

    def state(self, finished: bool = False) -> Restored:
        found = self._found
        tokens = None if found is None else tuple(self._tokens(found).tolist())
        blocks = () if found is None else tuple(found)
        made = None if found is None else self._pinned(found)
        minimal = self._minimal and finished
        return Restored(tokens, blocks, self._comparison, self._runs, finished, minimal, made)

    def shortest(self) -> Generator[Restored]:
        """So many of the first blocks that the answer holds, and not with one fewer."""
        if self._holds([]):
            self._minimal = True
            return
        yield self.state()
        matches = {0: False}
        count, most = 1, len(self._order)
        while most and self._left() and not any(matches.values()):
            matches[count] = self._holds(self._order[:count])
            yield self.state()
            if count == most:
                break
            count = min(2 * count, most)
        while any(matches.values()) and self._left():
            gap = next_count(break_point(matches, max(matches)))
            if gap is None or gap == 0:
                break
            matches[gap] = self._holds(self._order[:gap])
            yield self.state()

    def leaving_out(self) -> Generator[Restored]:
        """Without the blocks that it does not take, the least helpful tried first."""
        if not self._found:
            return
        tried = list(reversed(self._found))[1:] if len(self._found) > 1 else []
        # With the last of them the answer began to hold: without it, it did not.
        for block in tried:
            if not self._left():
                return
            self._holds([n for n in self._found if n != block])
            yield self.state()
        self._minimal = True

    def _left(self) -> bool:
        return self._runs < self._most

    def _holds(self, blocks: Sequence[int]) -> bool:
        """Whether a real run with them gives the baseline's answer; it is then what is known."""
        self._runs += 1
        running = self._session.ask(
            self._prepared, self._pinned(blocks), self._settings, streamed=False
        )
        done: Comparison | None = None
        with closing(running) as events:
            for event in events:
                done = event.comparison or done
        same = done is not None and done.fidelity is not None and done.fidelity.exact_match
        if same:
            self._found, self._comparison = list(blocks), done
        return same

    def _tokens(self, blocks: Sequence[int]) -> np.ndarray:
        parts = [self._given.blocks[n].tokens for n in blocks]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)

    def _pinned(self, blocks: Sequence[int]) -> Pinned:
        before, tokens = self._before, self._tokens(blocks).tolist()
        keep = (*before.keep, *tokens)
        return Pinned(before.method, keep, before.drop, before.extra + len(tokens))
