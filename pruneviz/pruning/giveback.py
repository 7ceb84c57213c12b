"""Give back the best dropped tokens: what a finished run was closest to keeping."""

from __future__ import annotations

from pruneviz.methods import Method, Pinned
from pruneviz.methods.base import check_whole
from pruneviz.trace import Trace


def best_dropped(trace: Trace, count: int) -> tuple[int, ...]:
    """The dropped visual tokens that were closest to being kept, the closest first.

    Parameters
    ----------
    trace : Trace
        Of a finished run. Those that fell at a late stage come before those that fell early;
        of one stage, the best-scored first. Tokens pinned as dropped are left out.
    count : int
        How many; fewer are returned where fewer were dropped.

    Raises
    ------
    ValueError
        If `count` is no whole number from 0.
    """
    check_whole(count, "count", 0)
    out = {*trace.kept.tolist(), *trace.pins("drop")}
    ranked = [token for token in trace.keep_order.tolist() if token not in out]
    return tuple(ranked[: int(count)])


def give_back(method: Method, trace: Trace, count: int) -> Pinned:
    """The method that ran, with its best dropped tokens pinned as kept on top of its budget.

    Parameters
    ----------
    method : Method
        What made `trace`; pins it already has stay.
    trace : Trace
        Of the finished run.
    count : int
        Tokens to give back.

    Returns
    -------
    Pinned
        With `count` more tokens at every stage (fewer where fewer were dropped).
    """
    tokens = best_dropped(trace, count)
    before = Pinned.of(method)
    extra = before.extra + len(tokens)
    return Pinned(before.method, (*before.keep, *tokens), before.drop, extra)
