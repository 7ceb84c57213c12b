"""The map: how far the answer's log-probability moves with every patch taken or given back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from pruneviz.engine.matters.batching import batches
from pruneviz.engine.matters.blocks import Block, fitting
from pruneviz.engine.matters.effects import Effects, Kind
from pruneviz.engine.matters.removed import Removal
from pruneviz.engine.matters.taking import Scored, row_bytes, rows_of, taking_of
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Settings
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods.base import POSITIONS, Method
from pruneviz.trace import Trace

MAX_FORWARDS = 256
"""Blocks that are tried, each in a forward's work, unless another number is allowed."""


def what_matters(
    session: Session,
    prepared: Prepared,
    *,
    block: int | None = None,
    max_forwards: int = MAX_FORWARDS,
    positions: str = "keep",
    settings: Settings | None = None,
    memory_bytes: int | None = None,
) -> Generator[Effects]:
    """Take every patch, or block of patches, away from all layers of the unpruned model.

    Yields the map so far: first with nothing known, then after every batch; the last one is
    finished. Closing the generator stops; the model is free for others between batches.

    Parameters
    ----------
    session : Session
        Whose model is asked.
    prepared : Prepared
        From :meth:`Session.prepare`.
    block : int, optional
        Patches along a block's side. Default: the finest of ``SIDES`` that is allowed.
    max_forwards : int
        Most blocks, each of which takes the work of a forward of the prompt or less.
    positions : {"keep", "renumber"}
        Whether the tokens that stay keep their positions, so that nothing but the patch is gone,
        or are counted without gaps.
    settings : Settings, optional
        How the baseline's answer is generated.
    memory_bytes : int, optional
        Bytes that a batch may take, about. Default: what the session may remember.

    Raises
    ------
    InputError
        If there are more blocks than forwards allowed, or an argument is something else.

    Notes
    -----
    The vision encoder saw the patch: what it told its neighbours stays. Patches are hidden by the
    attention mask, which equals removing them; on models whose encoder hands more to the decoder
    than embeddings (Qwen3-VL), and with RoPE types that go by the length, they are removed, one
    forward a block.
    """
    if positions not in POSITIONS:
        raise InputError(f"positions must be one of {', '.join(POSITIONS)}, not {positions!r}.")
    side, blocks = fitting(prepared.grid, block, max_forwards)
    how = _plain(settings)
    answer = session.baseline(prepared, how)
    found = _empty("taken", prepared, answer, "", side, positions, blocks)
    yield found
    with session.alone():
        taking = taking_of(session, prepared, answer, positions)
        reference, noise = taking.scored.reference(taking.logits([np.array([], dtype=np.int64)]))
    found = replace(found, reference_logprob=reference, noise=noise)
    row = taking.row_bytes(blocks[0].tokens)
    most = rows_of(session, row, memory_bytes) if taking.together else 1

    def fall(batch: Sequence[Block]) -> list[float]:
        logits = taking.logits([one.tokens for one in batch])
        return [reference - now for now in taking.scored.sums(logits)]

    yield from _filled(session, found, most, lambda one: taking.kind_of(one.tokens), fall)


def what_giving_back_does(
    session: Session,
    prepared: Prepared,
    method: Method,
    trace: Trace,
    *,
    block: int | None = None,
    max_forwards: int = MAX_FORWARDS,
    settings: Settings | None = None,
    memory_bytes: int | None = None,
) -> Generator[Effects]:
    """Give every dropped patch, or block of patches, back to a pruned run, in all layers.

    All else is as the run had it: whatever it kept, at every stage, and nothing more. Yields and
    arguments as of :func:`what_matters`.

    Parameters
    ----------
    method : Method
        What pruned.
    trace : Trace
        What its run did.

    Raises
    ------
    InputError
        If nothing was dropped, tokens were merged, or there are more blocks than forwards allowed.
    """
    if not trace.stages or len(trace.kept) == trace.num_visual:
        raise InputError("Nothing was dropped, so there is nothing to give back.")
    if any(stage.into is not None or stage.extra for stage in trace.stages):
        raise InputError(
            f"{method.title} merges patches, so none of them is simply dropped: giving one back "
            "would count it twice."
        )
    dropped = np.setdiff1d(np.arange(trace.num_visual), trace.kept)
    side, blocks = fitting(prepared.grid, block, max_forwards, dropped)
    answer = session.baseline(prepared, _plain(settings))
    found = _empty("given", prepared, answer, trace.method, side, trace.positions, blocks)
    yield found
    layers = [stage.layer for stage in trace.stages]
    resolved = session.resolved(method)
    modes = [resolved.positions_at(stage) for stage in resolved.plan(session.num_layers)]
    with session.alone():
        removal = Removal(session.loaded, prepared, answer.token_ids, layers, modes)
        scored = Scored(session, answer)
        now = [stage.kept[None] for stage in trace.stages]
        reference, noise = scored.reference(removal.logits(now))
    found = replace(found, reference_logprob=reference, noise=noise)
    longest = max(len(one.tokens) for one in blocks)
    fed = trace.num_text + max(trace.tokens_per_layer[layers[0] :]) + longest
    row = row_bytes(session, prepared, fed, fed + len(answer.token_ids), answer)
    most = rows_of(session, row, memory_bytes) if removal.together else 1

    def rise(batch: Sequence[Block]) -> list[float]:
        kept = [
            np.stack([np.union1d(stage.kept, one.tokens) for one in batch])
            for stage in trace.stages
        ]
        return [now - reference for now in scored.sums(removal.logits(kept))]

    def fallen(one: Block) -> tuple[int, ...]:
        """How many of its tokens each stage has dropped: rows of a batch are equally long."""
        return tuple(int((~np.isin(one.tokens, s.kept)).sum()) for s in trace.stages)

    yield from _filled(session, found, most, fallen, rise)


def _filled(
    session: Session,
    found: Effects,
    most: int,
    alike: Callable[[Block], Any],
    measure: Callable[[Sequence[Block]], list[float]],
) -> Generator[Effects]:
    """The map after every batch; blocks of one kind share batches."""
    kinds: dict[Any, list[int]] = {}
    for number, block in enumerate(found.blocks):
        kinds.setdefault(alike(block), []).append(number)
    for batch in chain(*(batches(numbers, most) for numbers in kinds.values())):
        with session.alone():
            values = measure([found.blocks[number] for number in batch])
        whole = found.values.copy()
        whole[batch] = values
        found = replace(found, values=whole)
        yield found


def _plain(settings: Settings | None) -> Settings:
    return settings or Settings(signals=False)


def _empty(
    kind: Kind,
    prepared: Prepared,
    answer: Answer,
    method: str,
    side: int,
    positions: str,
    blocks: Sequence[Block],
) -> Effects:
    return Effects(
        kind=kind,
        question=prepared.question,
        answer=answer.text,
        token_ids=answer.token_ids,
        method=method,
        num_visual=prepared.grid.num_tokens,
        block=side,
        positions=positions,
        reference_logprob=float("nan"),
        noise=0.0,
        blocks=tuple(blocks),
        values=np.full(len(blocks), np.nan),
    )
