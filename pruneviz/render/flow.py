"""Where a run's visual tokens end: kept, merged, or dropped at which layer, one kind each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pruneviz.render.labels import stage_place
from pruneviz.trace import Trace

End = Literal["kept", "pinned", "merged", "dropped", "banned"]
"""How a token ends; `pinned` and `banned` are kept and dropped by hand."""
WORDS: dict[End, str] = {
    "kept": "kept to the end",
    "pinned": "kept by hand",
    "merged": "merged into kept ones",
    "dropped": "dropped",
    "banned": "dropped by hand",
}


@dataclass(frozen=True, eq=False)
class Kind:
    """Visual tokens that end alike.

    Attributes
    ----------
    end : str
        See :data:`End`.
    stage : int or None
        Index of the stage at which they fell; None where they stay.
    layer : int or None
        The stage's: 1-based decoder layer after which they fell, 0 = before the LLM.
    tokens : np.ndarray
        Int64, ascending indices among the original visual tokens.
    given : int
        How many of those kept by hand come on top of the method's own number: given back.
    """

    end: End
    stage: int | None
    layer: int | None
    tokens: np.ndarray
    given: int = 0

    @property
    def text(self) -> str:
        """Such as ``"96 dropped after layer 5"``."""
        where = "" if self.layer is None else f" {stage_place(self.layer)}"
        given = f", {self.given} of them given back" if self.given else ""
        return f"{len(self.tokens)} {WORDS[self.end]}{where}{given}"

    def at(self, index: int) -> int:
        """How many of them the decoder layer of an index, from 0, computes."""
        return len(self.tokens) if self.layer is None or self.layer > index else 0


@dataclass(frozen=True, eq=False)
class Flow:
    """The visual tokens of one run as they pass the decoder layers.

    Attributes
    ----------
    kinds : tuple of Kind
        Those that stay first, then from the last stage back; every token is in exactly one.
    extra : tuple of int
        Of each layer, how many tokens it computes that stand for no patch, such as a CLS token.
    num_layers : int
        Decoder layers.
    """

    kinds: tuple[Kind, ...]
    extra: tuple[int, ...]
    num_layers: int

    @property
    def text(self) -> str:
        """All of it in a sentence."""
        total = sum(len(kind.tokens) for kind in self.kinds)
        kinds = "; ".join([*(kind.text for kind in self.kinds), *filter(None, [self.extra_text])])
        return f"Of {total} visual tokens over {self.num_layers} decoder layers: {kinds}."

    @property
    def extra_text(self) -> str:
        """What stands for no patch, in words; empty where there is nothing."""
        most = max(self.extra, default=0)
        return f"{most} more that {'is' if most == 1 else 'are'} no patch" if most else ""

    @property
    def fates(self) -> np.ndarray:
        """Uint8 ``[num_visual]``: the index of each token's kind."""
        fates = np.zeros(sum(len(kind.tokens) for kind in self.kinds), dtype=np.uint8)
        for number, kind in enumerate(self.kinds):
            fates[kind.tokens] = number
        return fates


def flow_of(trace: Trace) -> Flow:
    """Sort a run's visual tokens by how they end.

    Parameters
    ----------
    trace : Trace
        The run.
    """
    kinds = tuple(kind for kind in _kinds(trace) if len(kind.tokens))
    layers = range(len(trace.tokens_per_layer))
    left = [[stage.extra for stage in trace.stages if stage.layer <= index] for index in layers]
    extra = tuple(counts[-1] if counts else 0 for counts in left)
    return Flow(kinds, extra, len(layers))


def _kinds(trace: Trace) -> Iterator[Kind]:
    by_hand = np.isin(trace.kept, trace.pins("keep"))
    given = int(trace.parameters["extra"]) if trace.method == "pinned" else 0
    yield Kind("pinned", None, None, trace.kept[by_hand], given)
    yield Kind("kept", None, None, trace.kept[~by_hand])
    for number, stage in reversed(list(enumerate(trace.stages))):
        fell = stage.dropped
        into = np.full(len(stage.alive), -1) if stage.into is None else stage.into
        merged = np.isin(fell, stage.alive[into >= 0])
        banned = ~merged & np.isin(fell, trace.pins("drop"))
        ends: tuple[tuple[End, np.ndarray], ...] = (
            ("merged", merged),
            ("dropped", ~(merged | banned)),
            ("banned", banned),
        )
        for end, chosen in ends:
            yield Kind(end, number, stage.layer, fell[chosen])
