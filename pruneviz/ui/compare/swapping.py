"""Ask a method again with the patches of another: does the choice matter, or how it prunes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from pruneviz.engine import Comparison, Outcome, Session, Settings, SideBySide
from pruneviz.errors import InputError
from pruneviz.methods import Pinned
from pruneviz.methods.base import Method
from pruneviz.ui.compare.again import check_model, prepared_again
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.runs import Run
from pruneviz.ui.shared.status import status_html


@dataclass(frozen=True)
class SwapScreen:
    """New content of the tab's outputs; None leaves one as it is."""

    status: str | None = None
    told: str | None = None


def swap(session: Session, run: Run | None, asked: Any) -> Generator[SwapScreen]:
    """Run it, as a stream of screens; closing the generator stops the run.

    `asked` is what the canvas sent, ``own`` and ``other`` by registry name: not to be trusted.
    """
    yield from guarded(_swap(session, run, asked), SwapScreen)


def _swap(session: Session, run: Run | None, asked: Any) -> Iterator[SwapScreen]:
    run = check_model(session, run)
    own, other = (_outcome(run.result, asked, key) for key in ("own", "other"))
    method = swapped(own, other)
    yield SwapScreen(
        status=status_html(f"Running {own.title} with {other.title}'s patches …", "busy")
    )
    prepared = prepared_again(session, run)
    running = session.ask(prepared, method, Settings(signals=False), streamed=False)
    with closing(running) as events:
        for event in events:
            if event.comparison is not None:
                line = status_html(f"Done: {own.title} with {other.title}'s patches.", "done")
                yield SwapScreen(line, told(own, other, event.comparison))
            else:
                yield SwapScreen()


def swapped(own: Outcome, other: Outcome) -> Method:
    """A method that gives up what only it keeps for what only the other keeps.

    Raises
    ------
    InputError
        If one of them did not run, or merged.
    """
    kept, wanted = _choice(own), _choice(other)
    if own.method is None:
        raise InputError(texts.SWAP_NEEDS_TWO)
    # Pinned are all that are wanted: with some of them other scores might leave out the rest.
    return Pinned(own.method, wanted.tolist(), np.setdiff1d(kept, wanted).tolist())


def told(own: Outcome, other: Outcome, done: Comparison) -> str:
    """Answer and log-probability beside those of both methods by themselves."""
    wanted, kept = set(_choice(other).tolist()), set(done.pruned.trace.kept.tolist())
    same = done.fidelity is not None and done.fidelity.exact_match
    mark, kind = ("=", "pv-good") if same else ("≠", "pv-bad")
    rows = [(f"{own.title} with {other.title}'s patches", done)]
    rows += [(one.title, one.comparison) for one in (own, other) if one.comparison is not None]
    numbers = "; ".join(
        f"{title} {nats(one.fidelity.answer_logprob)}" for title, one in rows if one.fidelity
    )
    rest = len(kept - wanted)
    others = f" {rest} patches are neither's first choice: the counts differ." if rest else ""
    return (
        f'<p class="pv-swapped"><b>{escape(rows[0][0])}:</b> <span class="{kind}">{mark} '
        f"{escape(done.pruned.text or '(empty answer)')}</span><br>"
        f"<small>Log-probability: {escape(numbers)}.{others}</small></p>"
    )


def _outcome(result: SideBySide, asked: Any, key: str) -> Outcome:
    name = asked.get(key) if isinstance(asked, dict) else None
    found = next((one for one in result.outcomes if one.name == name), None)
    if found is None:
        raise InputError(texts.SWAP_NEEDS_TWO)
    return found


def _choice(outcome: Outcome) -> np.ndarray:
    done = outcome.comparison
    if done is None or done.pruned.trace.has_groups:
        raise InputError(texts.SWAP_NEEDS_TWO)
    return done.pruned.trace.kept
