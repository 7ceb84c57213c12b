"""The map: how far the answer's log-probability moves with every patch taken or given back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from pruneviz.engine.answers import finite
from pruneviz.engine.guessing import NOISE
from pruneviz.engine.matters.batching import batches, bytes_of_row, rows_at_once
from pruneviz.engine.matters.blocks import Block, fitting
from pruneviz.engine.matters.hidden import Hiding, hides_as_removes
from pruneviz.engine.matters.removed import Removal, rows_go_together
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Settings
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods.base import POSITIONS, Method
from pruneviz.metrics import log_softmax, mean_logprob
from pruneviz.pruning.visible import VisualTokens
from pruneviz.trace import Trace

MAX_FORWARDS = 256
"""Blocks that are tried, each in a forward's work, unless another number is allowed."""

Kind = Literal["taken", "given"]


@dataclass(frozen=True, eq=False)
class Effects:
    """What each block of patches does to the baseline's answer.

    Attributes
    ----------
    kind : {"taken", "given"}
        Taken away from every layer of the unpruned model; or given back, in every layer, to the
        pruned one, whose choice is otherwise as it was.
    question, answer : str
        As asked; the baseline's answer, whose log-probability is measured.
    token_ids : tuple of int
        Its tokens.
    method : str
        Registry name of the method that pruned; empty where patches are taken away.
    num_visual : int
        Visual tokens of the image.
    block : int
        Patches along a block's side.
    positions : str
        ``"keep"`` or ``"renumber"``; of given ones the run's own.
    reference_logprob : float
        Summed log-probability of the answer with nothing taken, or nothing given back, in nats.
    noise : float
        Nats by which rounding may move a value: what is nearer to 0 is 0, for all that is known.
    blocks : tuple of Block
        Those that are tried.
    values : np.ndarray
        Float64, one for each: how much the summed log-probability falls when it is taken away,
        or rises when it is given back, in nats; NaN where it is not known yet.
    """

    kind: Kind
    question: str
    answer: str
    token_ids: tuple[int, ...]
    method: str
    num_visual: int
    block: int
    positions: str
    reference_logprob: float
    noise: float
    blocks: tuple[Block, ...]
    values: np.ndarray

    @property
    def done(self) -> int:
        """Blocks that were tried."""
        return int(np.isfinite(self.values).sum())

    @property
    def finished(self) -> bool:
        """Whether all were."""
        return self.done == len(self.blocks)

    @property
    def forwards(self) -> int:
        """Forwards that the whole map takes, rows of a batch counted each."""
        return len(self.blocks)

    @property
    def per_token(self) -> np.ndarray:
        """Float64 ``[num_visual]``: what its block does; NaN for tokens in none."""
        spread = np.full(self.num_visual, np.nan)
        for block, value in zip(self.blocks, self.values, strict=True):
            spread[block.tokens] = value
        return spread

    @property
    def order(self) -> np.ndarray:
        """Int64: blocks that are known, the largest effect first."""
        known = np.flatnonzero(np.isfinite(self.values))
        return known[np.argsort(-self.values[known], kind="stable")]

    def to_dict(self) -> dict[str, Any]:
        """Plain values (None where an effect is not known), blocks with their places."""
        return {
            "kind": self.kind,
            "question": self.question,
            "answer": self.answer,
            "token_ids": list(self.token_ids),
            "method": self.method,
            "num_visual": self.num_visual,
            "block": self.block,
            "positions": self.positions,
            "reference_logprob": self.reference_logprob,
            "noise": self.noise,
            "unit": "nats, summed over the answer",
            "blocks": [
                {
                    "part": block.part,
                    "row": block.row,
                    "column": block.column,
                    "tokens": block.tokens.tolist(),
                    "effect": float(value) if np.isfinite(value) else None,
                }
                for block, value in zip(self.blocks, self.values, strict=True)
            ],
        }


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
        taking = _taking(session, prepared, answer, positions)
        reference, noise = taking.scored.reference(taking.logits([np.array([], dtype=np.int64)]))
    found = replace(found, reference_logprob=reference, noise=noise)
    row = taking.bytes_of_row(blocks)
    most = _rows(session, row, memory_bytes) if taking.together else 1

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
        scored = _Scored(session, answer)
        now = [stage.kept[None] for stage in trace.stages]
        reference, noise = scored.reference(removal.logits(now))
    found = replace(found, reference_logprob=reference, noise=noise)
    longest = max(len(one.tokens) for one in blocks)
    fed = trace.num_text + max(trace.tokens_per_layer[layers[0] :]) + longest
    row = _row_bytes(session, prepared, fed, fed + len(answer.token_ids), answer)
    most = _rows(session, row, memory_bytes) if removal.together else 1

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
    kinds = dict.fromkeys(alike(block) for block in found.blocks)
    numbers = [n for kind in kinds for n, b in enumerate(found.blocks) if alike(b) == kind]
    for batch in batches(numbers, lambda n: alike(found.blocks[n]), most):
        with session.alone():
            values = measure([found.blocks[n] for n in batch])
        whole = found.values.copy()
        whole[batch] = values
        found = replace(found, values=whole)
        yield found


class _Scored:
    """From logits to the summed log-probability of an answer."""

    def __init__(self, session: Session, answer: Answer) -> None:
        self._loaded, self._answer = session.loaded, answer.token_ids

    def sums(self, logits: torch.Tensor) -> list[float]:
        """Of rows ``[rows, tokens, vocabulary]``, in nats."""
        who = "with patches taken away or given back"
        count = len(self._answer)
        return [
            count * mean_logprob(finite(self._loaded, row, who), self._answer) for row in logits
        ]

    def reference(self, logits: torch.Tensor) -> tuple[float, float]:
        """The sum of a single row, and what rounding may do to such sums, in nats.

        A logit that is wrong by so much moves a token's log-probability by that times the
        probability of all other tokens.
        """
        (total,) = self.sums(logits)
        values = logits[0].float().cpu().numpy()
        own = log_softmax(values)[np.arange(len(values)), np.asarray(self._answer)]
        wrong = NOISE * torch.finfo(logits.dtype).eps * float(np.abs(values).max())
        return total, wrong * float(-np.expm1(own).sum())


class _Hidden:
    """Takes tokens away by hiding them."""

    together = True

    def __init__(
        self, session: Session, prepared: Prepared, answer: Answer, positions: str
    ) -> None:
        self._session, self._prepared, self._answer = session, prepared, answer
        loaded, inputs = session.loaded, prepared.inputs
        self._columns = columns_of(session, prepared)
        self._length = prepared.visual_mask.shape[1]
        self.scored = _Scored(session, answer)
        self._hiding = Hiding(
            loaded.model,
            loaded.adapter.decoder(loaded.model),
            inputs,
            prepared.visual_mask[0],
            answer.token_ids,
            positions,
        )

    def logits(self, taken: Sequence[np.ndarray]) -> torch.Tensor:
        return self._hiding.logits(self._marks(taken))

    def kind_of(self, tokens: np.ndarray) -> int:
        return 0

    def bytes_of_row(self, blocks: Sequence[Block]) -> int:
        fed = self._hiding.fed(self._marks([blocks[0].tokens]))
        seen = self._length + len(self._answer.token_ids)
        return _row_bytes(self._session, self._prepared, fed, seen, self._answer)

    def _marks(self, taken: Sequence[np.ndarray]) -> np.ndarray:
        hidden = np.zeros((len(taken), self._length), dtype=bool)
        for row, tokens in zip(hidden, taken, strict=True):
            row[self._columns[tokens]] = True
        return hidden


class _Removed:
    """Takes tokens away by removing them before the LLM."""

    def __init__(
        self, session: Session, prepared: Prepared, answer: Answer, positions: str
    ) -> None:
        self._session, self._prepared, self._answer = session, prepared, answer
        own = replace(prepared, positions=positions)
        self._removal = Removal(session.loaded, own, answer.token_ids, (0,), (positions,))
        self.scored = _Scored(session, answer)
        self.together = self._removal.together

    def logits(self, taken: Sequence[np.ndarray]) -> torch.Tensor:
        every = np.arange(self._prepared.grid.num_tokens)
        return self._removal.logits([np.stack([np.setdiff1d(every, own) for own in taken])])

    def kind_of(self, tokens: np.ndarray) -> int:
        return len(tokens)

    def bytes_of_row(self, blocks: Sequence[Block]) -> int:
        fed = self._prepared.visual_mask.shape[1]
        seen = fed + len(self._answer.token_ids)
        return _row_bytes(self._session, self._prepared, fed, seen, self._answer)


def _taking(
    session: Session, prepared: Prepared, answer: Answer, positions: str
) -> _Hidden | _Removed:
    decoder = session.loaded.adapter.decoder(session.loaded.model)
    hides = hides_as_removes(decoder) and rows_go_together(prepared.inputs)
    return (_Hidden if hides else _Removed)(session, prepared, answer, positions)


def columns_of(session: Session, prepared: Prepared) -> np.ndarray:
    """Columns of the prompt that visual tokens stand in, int64 ``[num_visual]``."""
    loaded, mask = session.loaded, prepared.visual_mask
    reading = VisualTokens(loaded.model, loaded.adapter, mask, prepared.newlines)
    visual = reading.prunable(mask, prepared.inputs["inputs_embeds"])
    return np.flatnonzero(visual[0].cpu().numpy())


def _row_bytes(session: Session, prepared: Prepared, fed: int, seen: int, answer: Answer) -> int:
    loaded = session.loaded
    size = prepared.inputs["inputs_embeds"].element_size()
    shape = loaded.adapter.shape(loaded.model.config, size)
    backend = str(loaded.adapter.decoder(loaded.model).config._attn_implementation)
    return bytes_of_row(shape, fed, seen, len(answer.token_ids), backend)


def _rows(session: Session, row: int, memory_bytes: int | None) -> int:
    limit = session.memory.limit if memory_bytes is None else memory_bytes
    return rows_at_once(row, limit, session.loaded.model.device.type)


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
