"""What a measurement found: plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Lower quartile, median and upper quartile of some values."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(low, median(values), high)


@dataclass(frozen=True)
class Baseline:
    """The unpruned runs of one batch size.

    Attributes
    ----------
    prefill, vision, per_token, whole : float
        Median seconds: from pixels and ids to the first logits; the vision encoder's part of it,
        alone; each further token of an answer (0 where answers are one token long); a whole call
        of ``generate``.
    half_length : float
        Median seconds of the decoder layers on half the prompt, over those on all of it; 0 where
        it was not measured.
    half_flops : float
        The same ratio of their FLOPs.
    flops, kv_bytes : int
        True FLOPs of the prefill, and bytes of its KV cache; all rows of the batch together.
    peak_bytes : int
        Most device memory above the weights during ``generate``; 0 where it cannot be told.
    """

    prefill: float
    vision: float
    per_token: float
    whole: float
    half_length: float
    half_flops: float
    flops: int
    kv_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Row:
    """One method at one budget and one batch size; ratios are pruned over unpruned.

    Attributes
    ----------
    method, title, budget : str
        Registry name, title, and the budget in words.
    kept : int
        Visual tokens after the last stage, of the first row of the batch.
    layer_average : float
        Visual tokens averaged over the decoder layers, likewise.
    seconds, token_seconds, whole_seconds : float
        Medians of the prefill, of each further token (0 where there is none) and of a whole
        ``generate``.
    prefill, whole : Spread or None
        Time ratios, round by round: of the prefill, and of a whole ``generate``.
    per_token : Spread or None
        Likewise of each further token; None where answers are one token long.
    ideal : Spread or None
        Time of plain forwards of the lengths that the method leaves, over unpruned.
    over_ideal : Spread or None
        The method's prefill over that: 1 where choosing and bookkeeping cost nothing.
    flops : float
        Ratio of the true FLOPs, choosing included.
    kv_bytes : float
        Ratio of the caches after the prefill.
    peak_bytes : float or None
        Ratio of the peak device memory above the weights; CUDA alone.
    problem : str
        Why there are no figures; empty where there are.
    """

    method: str
    title: str
    budget: str = ""
    kept: int = 0
    layer_average: float = 0.0
    seconds: float = 0.0
    token_seconds: float = 0.0
    whole_seconds: float = 0.0
    prefill: Spread | None = None
    whole: Spread | None = None
    per_token: Spread | None = None
    ideal: Spread | None = None
    over_ideal: Spread | None = None
    flops: float = 0.0
    kv_bytes: float = 0.0
    peak_bytes: float | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """Title and budget."""
        return " ".join(filter(None, (self.title, self.budget)))


@dataclass(frozen=True)
class Group:
    """All rows of one batch size; `baseline` is None where even that did not run."""

    batch: int
    baseline: Baseline | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Pair:
    """One time of a row beside the unpruned one.

    Attributes
    ----------
    key, name : str
        What was timed: ``"prefill"``, ``"token"`` or ``"whole"``, and in words.
    seconds : tuple of float
        Medians, unpruned and pruned.
    ratio : Spread
        Of the pairs' own ratios.
    """

    key: str
    name: str
    seconds: tuple[float, float]
    ratio: Spread


@dataclass(frozen=True)
class Report:
    """A whole measurement.

    Attributes
    ----------
    model, device, attention, dtype, versions : str
        What was measured, on which device, and with what.
    layers, length, visual : int
        Decoder layers; tokens of the prompt, and visual tokens among them.
    rounds, warmup, tokens : int
        Rounds counted, rounds before them, and the length of the answers.
    groups : tuple of Group
        One per batch size.
    """

    model: str
    device: str
    attention: str
    dtype: str
    versions: str
    layers: int
    length: int
    visual: int
    rounds: int
    warmup: int
    tokens: int
    groups: tuple[Group, ...]

    def pairs(self) -> tuple[Pair, ...]:
        """The times of the first method at the first batch size; none where they failed."""
        base = self.groups[0].baseline if self.groups else None
        if base is None or not self.groups[0].rows:
            return ()
        row = self.groups[0].rows[0]
        whole = f"answer of {self.tokens} tokens"
        found = (
            ("prefill", "picture and prefill", base.prefill, row.seconds, row.prefill),
            ("token", "each further token", base.per_token, row.token_seconds, row.per_token),
            ("whole", whole, base.whole, row.whole_seconds, row.whole),
        )
        return tuple(
            Pair(key, name, (unpruned, pruned), ratio)
            for key, name, unpruned, pruned, ratio in found
            if ratio is not None
        )

    @property
    def problem(self) -> str:
        """Why something was not measured; empty where all was."""
        rows = [row for group in self.groups for row in group.rows]
        return next((row.problem for row in rows if row.problem), "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)
