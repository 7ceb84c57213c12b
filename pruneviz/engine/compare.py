"""Several methods on one question under one budget."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np

from pruneviz.engine.against import set_against
from pruneviz.engine.agreement import agreement, likeness_order, overlap_matrix
from pruneviz.engine.budgets import Budget, fit
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings
from pruneviz.engine.session import Session
from pruneviz.engine.sidebyside import CompareEvent, Outcome, SideBySide
from pruneviz.errors import InputError
from pruneviz.methods import OutOfReachError
from pruneviz.methods.registry import METHODS


def chosen_methods(names: Sequence[str]) -> list[str]:
    """The names without repetitions.

    Raises
    ------
    InputError
        If there is none, or one that is unknown.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise InputError("Choose at least one method.")
    for name in names:
        if not isinstance(name, str) or name not in METHODS:
            raise InputError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    return list(dict.fromkeys(names))


def candidates(
    names: Sequence[str], budget: Budget, num_visual: int, num_layers: int
) -> list[Outcome]:
    """Every method fitted to the budget, or the reason why it cannot be; runs nothing."""
    found = []
    for name in chosen_methods(names):
        title = METHODS[name].title
        try:
            found.append(Outcome(name, title, fit(name, budget, num_visual, num_layers)))
        except OutOfReachError as error:
            found.append(Outcome(name, title, problem=str(error)))
    return found


def compare_many(
    session: Session,
    prepared: Prepared,
    names: Sequence[str],
    budget: Budget,
    settings: Settings | None = None,
    matters: bool = False,
) -> Generator[CompareEvent]:
    """Run several methods on one question, streamed.

    The image is encoded once (in `prepared`), the baseline runs once; the model is taken for
    one method at a time, so that other people's questions come in between. A method that
    cannot meet the budget gets an outcome with a `problem`; it never runs on another budget.
    The last event is ``"done"``. Closing the generator stops the run.

    Parameters
    ----------
    session : Session
        Whose model answers.
    prepared : Prepared
        From :meth:`Session.prepare`.
    names : sequence of str
        Registry names; each runs with its published settings.
    budget : Budget
        Shared by all.
    settings : Settings, optional
        Default: no signals, which cost a pass of their own and are not shown side by side.
    matters : bool
        Whether to measure what matters as well, once for all methods, and to hold each against it:
        see ``engine.against.set_against``.

    Raises
    ------
    InputError
        On an empty choice or an unknown name.
    """
    how = settings or Settings(signals=False)
    total = prepared.grid.num_tokens
    outcomes = candidates(names, budget, total, session.num_layers)
    yield CompareEvent("result", result=_gather(prepared, budget, outcomes))
    ahead = [outcome.method for outcome in outcomes if outcome.method is not None]
    for index, outcome in enumerate(outcomes):
        if outcome.method is None:
            continue
        place = f"{index + 1} of {len(outcomes)}"
        running = session.ask(prepared, outcome.method, how, streamed=False, ahead=ahead)
        with closing(running) as events:
            for event in events:
                if event.comparison is not None:
                    outcomes[index] = Outcome(
                        outcome.name, outcome.title, outcome.method, event.comparison
                    )
                else:
                    yield CompareEvent("status", f"Running {outcome.title} ({place}) …")
        yield CompareEvent("result", result=_gather(prepared, budget, outcomes))
    result = _gather(prepared, budget, outcomes)
    if matters:
        yield from set_against(session, prepared, result, how)
    else:
        yield CompareEvent("done", result=result)


def _gather(prepared: Prepared, budget: Budget, outcomes: Sequence[Outcome]) -> SideBySide:
    ran = [(o.name, o.comparison) for o in outcomes if o.comparison is not None]
    traces = {name: comparison.pruned.trace for name, comparison in ran}
    chose = [name for name, trace in traces.items() if not trace.has_groups]
    overlaps = overlap_matrix([traces[name].kept for name in chose])
    order = likeness_order(overlaps)
    names = tuple(chose[place] for place in order)
    total = prepared.grid.num_tokens
    return SideBySide(
        question=prepared.question,
        budget=budget,
        num_visual=total,
        baseline=ran[0][1].baseline if ran else None,
        outcomes=tuple(outcomes),
        agreement=agreement([traces[name].kept for name in names], total),
        overlap_names=names,
        overlaps=overlaps[np.ix_(order, order)],
        merged_names=tuple(name for name, trace in traces.items() if trace.has_groups),
    )
