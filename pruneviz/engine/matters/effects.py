"""The record of a map: what every block of patches does to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pruneviz.engine.matters.blocks import Block

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
