"""What a method thinks of the patches beside what they do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pruneviz.engine.matters.effects import Effects
from pruneviz.errors import InputError
from pruneviz.metrics import spearman
from pruneviz.trace import StageTrace, Trace

TOP = 10
FAINT = 0.01
"""Nats below which no block by itself moves the answer: its probability changes by less than a
hundredth."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A method's scores against the effects of taking patches away.

    Blocks are numbered as in ``Effects.blocks``.

    Attributes
    ----------
    title : str
        What the method is called.
    layer : int
        Of the stage whose scores are compared; 0 = before the LLM.
    block : int
        Patches along a block's side.
    correlation : float or None
        Spearman's rank correlation of scores and effects over all blocks of which something was
        alive at that stage; a block's score is the mean of its patches'. None where one of both
        tells none from another.
    by : {"scores", "kept"}
        What stands for the method's opinion: its scores; or, where these tell no more than who is
        kept (Uniform), whether a patch is kept at that stage.
    scores : np.ndarray
        Float64: what the method thinks of each block; NaN where nothing was alive.
    top : tuple of int
        The blocks that matter most, at most k, the most first: of effects above `FAINT` and
        above rounding alone.
    dropped : tuple of int
        Those of them of which nothing is left after the last stage.
    favourites : tuple of int
        As many blocks that the method scores highest; none where it scores none above another
        that it keeps, too.
    shared : tuple of int
        Blocks in both.
    strongest : float
        The largest effect, in nats.
    """

    title: str
    layer: int
    block: int
    correlation: float | None
    by: Literal["scores", "kept"]
    scores: np.ndarray
    top: tuple[int, ...]
    dropped: tuple[int, ...]
    favourites: tuple[int, ...]
    shared: tuple[int, ...]
    strongest: float

    @property
    def overlap(self) -> float | None:
        """Share of the top blocks that are among the method's own; None where it has none."""
        return len(self.shared) / len(self.top) if self.favourites else None

    @property
    def opinion(self) -> str:
        """What `by` is called in a sentence."""
        return "its scores" if self.by == "scores" else "what it keeps"

    @property
    def sentence(self) -> str:
        """How many of the patches that matter most the method drops."""
        one = "patch" if self.block == 1 else f"block of {self.block} x {self.block} patches"
        many = "patches" if self.block == 1 else f"blocks of {self.block} x {self.block} patches"
        if not self.top:
            return (
                f"No {one} matters by itself: without any one the answer stays about as likely "
                f"(at most {max(0.0, self.strongest):.2g} nats less). Larger blocks tell more."
            )
        if len(self.top) == 1:
            verb = "drops" if self.dropped else "keeps"
            said = f"{self.title} {verb} the one {one} that matters most."
        else:
            said = (
                f"{self.title} drops {len(self.dropped)} of the {len(self.top)} {many} that "
                "matter most."
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the sentence with them."""
        scores = [float(v) if np.isfinite(v) else None for v in self.scores]
        return {
            **asdict(self),
            "scores": scores,
            "overlap": self.overlap,
            "sentence": self.sentence,
        }


def judge(
    effects: Effects, trace: Trace, stage: int = 0, k: int = TOP, title: str = ""
) -> Judgement:
    """Hold a run's scores against what patches do.

    Parameters
    ----------
    effects : Effects
        Of :func:`what_matters`, as far as it is known.
    trace : Trace
        Of a run on the same question.
    stage : int
        Whose scores are compared, by its place in the trace. What counts as dropped is what is
        gone after the last stage, whichever is compared.
    k : int
        Most blocks that count as those that matter most.
    title : str
        What the method is called; default: its registry name.

    Raises
    ------
    InputError
        If the run has no such stage or another picture, or `k` is no whole number from 1.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k must be a whole number from 1, not {k!r}.")
    if trace.num_visual != effects.num_visual:
        raise InputError(
            f"The run saw {trace.num_visual} visual tokens, the map is of {effects.num_visual}."
        )
    if not 0 <= stage < len(trace.stages):
        raise InputError(f"The run has {len(trace.stages)} stages, none of number {stage + 1}.")
    chosen = trace.stages[stage]
    by, opinion = _opinion(chosen)
    scores = _block_scores(effects, chosen, opinion)
    both = np.flatnonzero(np.isfinite(scores) & np.isfinite(effects.values))
    correlation = spearman(scores[both], effects.values[both])
    least = max(effects.noise, FAINT)
    top = [n for n in effects.order.tolist() if effects.values[n] > least][:k]
    kept = np.isin(np.arange(trace.num_visual), trace.kept)
    ranked = both[np.argsort(-scores[both], kind="stable")]
    favourites = ranked[: len(top)].tolist() if by == "scores" else []
    return Judgement(
        title=title or trace.method,
        layer=chosen.layer,
        block=effects.block,
        correlation=correlation if np.isfinite(correlation) else None,
        by=by,
        scores=scores,
        top=tuple(top),
        dropped=tuple(n for n in top if not kept[effects.blocks[n].tokens].any()),
        favourites=tuple(favourites),
        shared=tuple(n for n in top if n in set(favourites)),
        strongest=float(np.nanmax(effects.values, initial=-np.inf)) if effects.done else 0.0,
    )


def _opinion(stage: StageTrace) -> tuple[Literal["scores", "kept"], np.ndarray]:
    """What a method thinks of every alive token: its score, or else whether it is kept.

    Where tokens are merged the kept ones only stand for a group: their places are no opinion.
    """
    kept = np.isin(stage.alive, stage.kept)
    flat = all(len(np.unique(stage.scores[part])) <= 1 for part in (kept, ~kept))
    if flat and stage.into is None:
        return "kept", kept.astype(np.float64)
    return "scores", stage.scores


def _block_scores(effects: Effects, stage: StageTrace, opinion: np.ndarray) -> np.ndarray:
    """Mean opinion of each block's alive tokens; NaN where there is none, or one has none."""
    spread = np.full(effects.num_visual, np.nan)
    spread[stage.alive] = opinion
    alive = np.isin(np.arange(effects.num_visual), stage.alive)
    found = np.full(len(effects.blocks), np.nan)
    for number, block in enumerate(effects.blocks):
        own = block.tokens[alive[block.tokens]]
        if len(own):
            found[number] = spread[own].mean()
    return found
