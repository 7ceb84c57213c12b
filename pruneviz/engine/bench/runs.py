"""Single runs of a batch, each measured by itself; nothing is recorded in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.generation.streamers import BaseStreamer

from pruneviz.cost import Cost, prefill_cost, true_flops
from pruneviz.engine.bench.ideal import Ideal, Prompt, columns_of, first_columns
from pruneviz.engine.bench.subject import Subject
from pruneviz.engine.bench.timing import Peak, timed
from pruneviz.methods.base import Method
from pruneviz.pruning import observe, prune
from pruneviz.trace import Trace


class Arrivals(BaseStreamer):
    """Notes when the tokens of `generate` arrive."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt (first call) or one more token of every row."""
        self._times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is left to do."""

    @property
    def per_token(self) -> float:
        """Mean seconds of the tokens after the first; 0 where there is none."""
        first, *further = self._times[1:]
        return (further[-1] - first) / len(further) if further else 0.0


@dataclass(frozen=True)
class Whole:
    """A whole ``generate``: seconds, seconds a token, bytes at the peak."""

    seconds: float
    per_token: float
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class Facts:
    """What does not change from round to round.

    Attributes
    ----------
    traces : list of Trace
        One per row.
    flops, kv_bytes : int
        True FLOPs of the prefill, and bytes of the cache that it leaves, of all rows together.
    """

    traces: list[Trace]
    flops: int
    kv_bytes: int


@dataclass(frozen=True, eq=False)
class Batch:
    """A subject's prompt as a batch of some size."""

    subject: Subject
    size: int
    inputs: dict[str, Any]
    prompt: Prompt

    @classmethod
    def of(cls, subject: Subject, size: int) -> Batch:
        """Repeat the prompt, and see what the decoder stack gets of it."""
        inputs = subject.batch(size)
        return cls(subject, size, inputs, Prompt.read(subject, inputs))

    def ideal(self, traces: list[Trace]) -> Ideal:
        """Plain forwards of the columns that a pruned run left in each layer."""
        return Ideal(self.subject, self.prompt, columns_of(traces, self.prompt.visual))

    @torch.no_grad()
    def facts(self, method: Method | None) -> Facts:
        """Run once, untimed, and count."""
        with self._block(method, look=True) as run:
            out = self._forward()
        flops = run.scoring_flops if method else 0
        flops += sum(self._cost(trace).total_flops for trace in run.traces)
        layers = out.past_key_values.layers
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
        return Facts(run.traces, flops, held)

    @torch.no_grad()
    def prefill(self, method: Method | None) -> float:
        """Seconds from pixels and ids to the first logits."""
        with self._block(method):
            return timed(self.subject.device, self._forward)[0]

    @torch.no_grad()
    def ideal_prefill(self, ideal: Ideal) -> float:
        """The same by plain forwards."""
        with ideal.in_place():
            return timed(self.subject.device, self._forward)[0]

    @torch.no_grad()
    def vision(self) -> float:
        """Seconds of the vision encoder alone."""
        return timed(self.subject.device, lambda: self.subject.encode(self.inputs))[0]

    @torch.no_grad()
    def whole(self, method: Method | None, tokens: int) -> Whole:
        """Generate `tokens` tokens, entering and leaving the block included."""
        stream, peak = Arrivals(), Peak(self.subject.device)

        def run() -> None:
            with self._block(method):
                self.subject.model.generate(
                    **self.inputs,
                    max_new_tokens=tokens,
                    # As many steps in every run, whatever each would answer.
                    min_new_tokens=tokens,
                    do_sample=False,
                    num_beams=1,
                    streamer=stream,
                )

        seconds, _ = timed(self.subject.device, run)
        return Whole(seconds, stream.per_token, peak.bytes)

    def _forward(self) -> Any:
        return self.subject.model(**self.inputs, use_cache=True, logits_to_keep=1)

    def _cost(self, trace: Trace) -> Cost:
        return prefill_cost(self.subject.shape, trace.tokens_per_layer, trace.kv_lengths)

    @contextmanager
    def _block(self, method: Method | None, look: bool = False) -> Iterator[Any]:
        """Around a run. The unpruned one is bare unless it is looked at."""
        subject = self.subject
        where: dict[str, Any] = {"newlines": subject.newlines}
        if method is not None:
            where |= {"positions": subject.positions, "count_flops": look}
            with prune(subject.model, method, **where) as run:
                yield run
        elif look:
            with observe(subject.model, record=(), **where) as run:
                yield run
        else:
            yield None


class Halves:
    """The decoder layers alone, on half of the prompt and on all of it.

    Attributes
    ----------
    flops : float
        Ratio of the FLOPs.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        length = batch.prompt.embeds.shape[1]
        lengths, layers = (max(1, length // 2), length), batch.subject.num_layers
        shape = batch.subject.shape
        head = true_flops(shape, ())
        half, whole = (true_flops(shape, [n] * layers) - head for n in lengths)
        self.flops = half / whole
        self._ideals = [
            Ideal(batch.subject, batch.prompt, first_columns(batch.prompt, n, layers))
            for n in lengths
        ]

    @torch.no_grad()
    def ratio(self) -> float:
        """Seconds on half of the prompt over those on all of it."""
        half, whole = (self._seconds(ideal) for ideal in self._ideals)
        return half / whole

    def _seconds(self, ideal: Ideal) -> float:
        def run() -> torch.Tensor:
            return ideal.layers(self._batch.prompt.embeds, DynamicCache())

        return timed(self._batch.subject.device, run)[0]
