"""What the engine hands to whoever asked: plain records, no tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pruneviz.cost import Cost
from pruneviz.geometry import PatchGrid
from pruneviz.metrics import Fidelity
from pruneviz.trace import Trace


@dataclass(frozen=True)
class Settings:
    """How answers are generated.

    Attributes
    ----------
    max_new_tokens : int
        Longest answer, in tokens.
    signals : bool
        Record TTV, IGA and residual in every layer, which makes the prefill slower.
    """

    max_new_tokens: int = 48
    signals: bool = True


@dataclass(frozen=True)
class Times:
    """Measured seconds of one run, as it happened to be made.

    Layers that it shared with an earlier run are not in them, what was recorded or counted beside
    it is. They say nothing beside those of another moment: to compare, time in pairs
    (`pruneviz.engine.bench`), whose runs share and record nothing.

    Attributes
    ----------
    vision : float
        Encoding the image; done once for all methods.
    scoring : float
        Choosing tokens (part of `prefill`); TTV's taps inside the layers are not in it.
    prefill : float
        From the prompt's embeddings to the first answer token.
    per_token : float
        Each further token that was generated alone; 0 where there is none.
    """

    vision: float
    scoring: float
    prefill: float
    per_token: float


@dataclass(frozen=True)
class Answer:
    """One run on one question.

    Attributes
    ----------
    label : str
        The method's title, or ``"Baseline"``.
    text : str
        The answer.
    token_ids : tuple of int
        Its tokens, end of sequence included.
    tokens : tuple of str
        The text of each.
    trace : Trace
        What was dropped where and why; signals if asked for.
    cost : Cost
        Computed from the lengths that really ran.
    times : Times
        Measured.
    stopped : bool
        Whether it was cut off by the user.
    """

    label: str
    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    trace: Trace
    cost: Cost
    times: Times
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Everything but the trace and the times, as plain values.

        A remembered baseline was timed at another moment: `pruneviz.engine.bench` times both.
        """
        return {
            "label": self.label,
            "text": self.text,
            "token_ids": list(self.token_ids),
            "cost": asdict(self.cost),
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class Comparison:
    """A pruned answer beside the baseline's.

    Attributes
    ----------
    question : str
        As asked.
    baseline, pruned : Answer
        Both runs.
    fidelity : Fidelity or None
        None where a run was stopped.
    grid : PatchGrid
        Where each visual token lies on the image.
    hints : tuple of str
        Why this model may not know the answer, if it can tell.
    """

    question: str
    baseline: Answer
    pruned: Answer
    fidelity: Fidelity | None
    grid: PatchGrid
    hints: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Both answers, the fidelity and the method, as plain values (no traces)."""
        return {
            "question": self.question,
            "method": self.pruned.trace.method,
            "parameters": self.pruned.trace.parameters,
            "baseline": self.baseline.to_dict(),
            "pruned": self.pruned.to_dict(),
            "fidelity": None if self.fidelity is None else asdict(self.fidelity),
            "hints": list(self.hints),
        }


@dataclass(frozen=True)
class Event:
    """One step of a running question.

    Attributes
    ----------
    kind : {"status", "baseline", "pruned", "done"}
        A line on what is being done; the text so far of one answer; or the end.
    text : str
        The line or the text so far.
    answer : Answer or None
        With the last "baseline" event: the finished baseline.
    comparison : Comparison or None
        With "done".
    """

    kind: Literal["status", "baseline", "pruned", "done"]
    text: str = ""
    answer: Answer | None = None
    comparison: Comparison | None = None
