"""Rounds of paired runs: unpruned and every method in turn, medians over the rounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

import torch
import transformers

from pruneviz.engine.bench.ideal import Ideal
from pruneviz.engine.bench.records import Baseline, Group, Report, Row, Spread
from pruneviz.engine.bench.runs import Batch, Facts, Halves, Whole
from pruneviz.engine.bench.subject import Subject
from pruneviz.engine.bench.timing import give_back, is_out_of_memory
from pruneviz.errors import InputError, PruneVizError, told
from pruneviz.methods.base import Method

FULL = "out of memory"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    rounds, warmup : int
        Rounds that count, and rounds before them that do not.
    tokens : int
        Length of the answers.
    batches : tuple of int
        Batch sizes.
    reference : bool
        Whether the ideal, the encoder alone and half prompts are measured too.
    """

    rounds: int = 10
    warmup: int = 2
    tokens: int = 16
    batches: tuple[int, ...] = (1,)
    reference: bool = True

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("warmup", 0), ("tokens", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if not self.batches or min(self.batches) < 1:
            raise InputError("A batch needs at least one row.")


@dataclass(frozen=True)
class Entry:
    """A method as it is asked for, or why it cannot be: `problem`."""

    method: Method | None
    row: Row

    @classmethod
    def of(cls, method: Method, budget: str = "") -> Entry:
        """A method that can be run; `budget` says in words how much it keeps."""
        return cls(method, Row(method.name, method.title, budget))

    @classmethod
    def refused(cls, name: str, title: str, budget: str, problem: str) -> Entry:
        """One that cannot."""
        return cls(None, Row(name, title, budget, problem=problem))


@dataclass(eq=False)
class Lane:
    """What one contender's runs gave, round by round; without a method the unpruned one."""

    method: Method | None
    row: Row | None = None
    facts: Facts | None = None
    ideal: Ideal | None = None
    prefills: list[float] = field(default_factory=list)
    ideals: list[float] = field(default_factory=list)
    wholes: list[Whole] = field(default_factory=list)
    problem: str = ""


def measure(
    subject: Subject,
    entries: Sequence[Entry | Method],
    plan: Plan | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Report:
    """Measure methods against no pruning, in turn inside every round.

    Parameters
    ----------
    subject : Subject
        Model and prompt.
    entries : sequence of Entry or Method
        What is compared.
    plan : Plan, optional
        How much is measured.
    on_step : callable
        Told in a line what is being done.
    stop : threading.Event, optional
        Once set, the rounds end; what is complete is reported.

    Returns
    -------
    Report
        A method that does not go with the model, or does not fit into memory at a batch size, has
        a `problem` there.
    """
    plan = plan or Plan()
    given = [entry if isinstance(entry, Entry) else Entry.of(entry) for entry in entries]
    halt = stop or threading.Event()
    groups, visual = [], 0
    for size in plan.batches:
        if halt.is_set():
            break
        rounds = Rounds(subject, size, plan, on_step, halt)
        groups.append(rounds.run(given))
        visual = visual or rounds.visual
    model = subject.model
    return Report(
        model=subject.title,
        device=device_name(subject.device),
        attention=str(model.config._attn_implementation),
        dtype=str(model.dtype).removeprefix("torch."),
        versions=f"torch {torch.__version__}, transformers {transformers.__version__}",
        layers=subject.num_layers,
        length=subject.length,
        visual=visual,
        rounds=plan.rounds,
        warmup=plan.warmup,
        tokens=plan.tokens,
        groups=tuple(groups),
    )


class Rounds:
    """The rounds of one batch size."""

    def __init__(
        self,
        subject: Subject,
        size: int,
        plan: Plan,
        on_step: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self._subject, self._size, self._plan = subject, size, plan
        self._on_step, self._stop = on_step, stop
        self._visions: list[float] = []
        self._halves: list[float] = []
        self.visual = 0

    def run(self, entries: Sequence[Entry]) -> Group:
        """All rounds, and what they come to."""
        base = Lane(None)
        lanes = [Lane(e.method, e.row, problem=e.row.problem) for e in entries]
        batch: Batch | None = None
        with self._guarded(base):
            batch = Batch.of(self._subject, self._size)
            self._look(batch, base)
        if batch is None or base.facts is None:
            return Group(self._size, None, tuple(_lost(lane, FULL) for lane in lanes))
        self.visual = base.facts.traces[0].num_visual
        for lane in lanes:
            if not lane.problem:
                self._try(batch, lane)
        halves = Halves(batch) if self._plan.reference else None
        for number in range(-self._plan.warmup, self._plan.rounds):
            if self._stop.is_set() or base.problem:
                break
            self._round(batch, halves, [base, *lanes], number)
        return self._group(base, lanes, halves)

    def _try(self, batch: Batch, lane: Lane) -> None:
        """Look at a method; one that does not go with the model drops out and says why."""
        with self._guarded(lane):
            try:
                self._look(batch, lane)
            except (PruneVizError, ValueError) as error:
                lane.problem = told(error)

    def _look(self, batch: Batch, lane: Lane) -> None:
        lane.facts = batch.facts(lane.method)
        if lane.method is not None and self._plan.reference:
            lane.ideal = batch.ideal(lane.facts.traces)

    def _round(self, batch: Batch, halves: Halves | None, lanes: list[Lane], number: int) -> None:
        """The unpruned run and every method in turn; negative numbers do not count."""
        for lane in lanes:
            if lane.problem or self._stop.is_set():
                continue
            name = lane.row.title if lane.row else "unpruned"
            step = f"round {number + 1} of {self._plan.rounds}" if number >= 0 else "warming up"
            self._on_step(f"Batch {self._size}, {step}: {name} …")
            with self._guarded(lane):
                self._one(batch, lane, number >= 0)
        if halves is not None and not self._stop.is_set():
            with self._guarded(lanes[0]):
                vision, half = batch.vision(), halves.ratio()
                if number >= 0:
                    self._visions.append(vision)
                    self._halves.append(half)

    def _one(self, batch: Batch, lane: Lane, counts: bool) -> None:
        prefill = batch.prefill(lane.method)
        ideal = batch.ideal_prefill(lane.ideal) if lane.ideal else 0.0
        whole = batch.whole(lane.method, self._plan.tokens)
        if counts:
            lane.prefills.append(prefill)
            lane.ideals.append(ideal)
            lane.wholes.append(whole)

    @contextmanager
    def _guarded(self, lane: Lane) -> Iterator[None]:
        """Let a lane that does not fit into memory drop out."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            lane.problem = FULL
        if lane.problem:
            # Only now: the error held on to what had been allocated.
            give_back(self._subject.device)

    def _group(self, base: Lane, lanes: list[Lane], halves: Halves | None) -> Group:
        if base.problem or not base.prefills or base.facts is None:
            return Group(self._size, None, tuple(_lost(lane, base.problem) for lane in lanes))
        found = Baseline(
            prefill=median(base.prefills),
            vision=median(self._visions) if self._visions else 0.0,
            per_token=median(whole.per_token for whole in base.wholes),
            whole=median(whole.seconds for whole in base.wholes),
            half_length=median(self._halves) if self._halves else 0.0,
            half_flops=halves.flops if halves else 0.0,
            flops=base.facts.flops,
            kv_bytes=base.facts.kv_bytes,
            peak_bytes=max(whole.peak_bytes for whole in base.wholes),
        )
        return Group(self._size, found, tuple(_row(base, lane, found) for lane in lanes))


def _lost(lane: Lane, problem: str) -> Row:
    row = lane.row or Row("", "")
    return replace(row, problem=lane.problem or problem or "stopped")


def _row(base: Lane, lane: Lane, found: Baseline) -> Row:
    if lane.problem or not lane.prefills or lane.facts is None or lane.row is None:
        return _lost(lane, "")
    trace = lane.facts.traces[0]
    steps = [(a.per_token, b.per_token) for a, b in zip(base.wholes, lane.wholes, strict=False)]
    steps = [(a, b) for a, b in steps if a and b]
    peak = max(whole.peak_bytes for whole in lane.wholes)
    return replace(
        lane.row,
        kept=trace.tokens_per_layer[-1],
        layer_average=trace.layer_average,
        seconds=median(lane.prefills),
        token_seconds=median(whole.per_token for whole in lane.wholes),
        whole_seconds=median(whole.seconds for whole in lane.wholes),
        prefill=_ratios(base.prefills, lane.prefills),
        whole=_ratios([w.seconds for w in base.wholes], [w.seconds for w in lane.wholes]),
        per_token=_ratios(*zip(*steps, strict=True)) if steps else None,
        ideal=_ratios(base.prefills, lane.ideals) if lane.ideal else None,
        over_ideal=_ratios(lane.ideals, lane.prefills) if lane.ideal else None,
        flops=lane.facts.flops / found.flops,
        kv_bytes=lane.facts.kv_bytes / found.kv_bytes,
        peak_bytes=peak / found.peak_bytes if found.peak_bytes else None,
    )


def _ratios(below: Sequence[float], above: Sequence[float]) -> Spread:
    """Pair by pair; a round that was broken off has no partner."""
    return Spread.of([b / a for a, b in zip(below, above, strict=False)])


def device_name(device: torch.device) -> str:
    """What a device is called, for people."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{device.type.upper()}, {threads} thread{'' if threads == 1 else 's'}"
