"""Speed and memory as ratios of paired runs: baseline and pruned, turn about."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from statistics import median

import torch

from pruneviz.engine.generate import Generated, generate
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings
from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel


@dataclass(frozen=True)
class Spread:
    """Smallest, median and largest of the pairs' ratios, pruned over baseline."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Summarise at least one value."""
        return cls(min(values), median(values), max(values))


@dataclass(frozen=True)
class Benchmark:
    """Paired runs on one question.

    Attributes
    ----------
    pairs : int
        How many were measured, after one that was not.
    prefill, with_vision, per_token : Spread or None
        Time ratios: prefill with scoring; the same with the image's encoding (paid once by
        both); each further token (None where answers are one token long).
    kv_bytes : float
        Ratio of the caches after the prefill.
    peak_memory : float or None
        Ratio of the peak device memory above the weights; CUDA only.
    """

    pairs: int
    prefill: Spread
    with_vision: Spread
    per_token: Spread | None
    kv_bytes: float
    peak_memory: float | None


def benchmark(
    loaded: LoadedModel, prepared: Prepared, method: Method, pairs: int = 10, tokens: int = 16
) -> Benchmark:
    """Measure `pairs` pairs of runs that record nothing.

    Raises
    ------
    InputError
        If `pairs` or `tokens` is below 1.
    """
    if pairs < 1 or tokens < 1:
        raise InputError("A benchmark needs at least one pair and one token.")
    settings = Settings(max_new_tokens=tokens, signals=False)
    runs: list[tuple[Generated, Generated]] = []
    peaks: list[tuple[int, int]] = []
    for _ in range(pairs + 1):
        base, base_peak = _measured(loaded, prepared, None, settings)
        cut, cut_peak = _measured(loaded, prepared, method, settings)
        runs.append((base, cut))
        peaks.append((base_peak, cut_peak))
    times = [(a.answer.times, b.answer.times) for a, b in runs[1:]]
    steps = [b.per_token / a.per_token for a, b in times if a.per_token and b.per_token]
    first, second = runs[-1]
    return Benchmark(
        pairs=pairs,
        prefill=Spread.of([b.prefill / a.prefill for a, b in times]),
        with_vision=Spread.of([(b.vision + b.prefill) / (a.vision + a.prefill) for a, b in times]),
        per_token=Spread.of(steps) if steps else None,
        kv_bytes=second.answer.cost.kv_bytes / first.answer.cost.kv_bytes,
        peak_memory=peaks[-1][1] / peaks[-1][0] if peaks[-1][0] else None,
    )


def _measured(
    loaded: LoadedModel, prepared: Prepared, method: Method | None, settings: Settings
) -> tuple[Generated, int]:
    device = loaded.model.device
    cuda = device.type == "cuda"
    before = 0
    if cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    made = generate(loaded, prepared, method, settings, lambda _: None, threading.Event())
    peak = torch.cuda.max_memory_allocated(device) - before if cuda else 0
    return made, peak
