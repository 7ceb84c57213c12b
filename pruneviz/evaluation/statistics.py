"""What many rows say of a method at a budget, with how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pruneviz.evaluation.intervals import mcnemar, merged_p, paired_difference, wilson
from pruneviz.evaluation.plan import CONTROL, SEEDED
from pruneviz.evaluation.results import Group, Results


@dataclass(frozen=True)
class Share:
    """A share of right answers with Wilson's 95 % interval.

    Attributes
    ----------
    questions : int
        How many it is of; of a seeded method each counts once, with its mean over the seeds.
    value, low, high : float
        The share and the interval's ends; NaN without a question.
    """

    questions: int
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: np.ndarray) -> Share:
        """Of float64 ``[questions]`` in [0, 1]; NaN does not count."""
        known = scores[~np.isnan(scores)]
        if not len(known):
            return cls(0, np.nan, np.nan, np.nan)
        return cls(len(known), float(known.mean()), *wilson(float(known.sum()), len(known)))


@dataclass(frozen=True)
class Pair:
    """Two runs on the same questions.

    Attributes
    ----------
    questions : int
        Those that both answered.
    lost, won : float
        Those that only the other, and only this one, answers right; means over the seeds.
    p : float
        Of McNemar's exact test; of several seeds merged as
        :func:`~pruneviz.evaluation.intervals.merged_p` does.
    """

    questions: int
    lost: float
    won: float
    p: float

    @classmethod
    def of(cls, one: np.ndarray, other: np.ndarray) -> Pair | None:
        """Of right (1) and wrong (0) answers, ``[seeds, questions]``; None without a common one.

        Where one has several seeds, each of its seeds is set against the other.
        """
        pairs = [(a, b) for a in one for b in other]
        counts = []
        for a, b in pairs:
            both = ~np.isnan(a) & ~np.isnan(b)
            lost, won = ((a < b) & both).sum(), ((a > b) & both).sum()
            counts.append((int(both.sum()), int(lost), int(won)))
        if not any(total for total, _, _ in counts):
            return None
        tests = [mcnemar(lost, won) for _, lost, won in counts]
        total, lost, won = (float(mean) for mean in np.mean(counts, axis=0))
        return cls(round(total), lost, won, tests[0] if len(tests) == 1 else merged_p(tests))

    def loss(self, effective: float) -> tuple[float, float]:
        """Interval of the share lost, of questions that are worth so many independent ones.

        See ``intervals.paired_difference``; means over the seeds are not rounded.
        """
        scale = effective / self.questions
        return paired_difference(self.lost * scale, self.won * scale, effective)


@dataclass(frozen=True)
class Entry:
    """One method at one budget.

    Attributes
    ----------
    method, title : str
        Registry name (``"none"`` unpruned) and the name people read.
    budget : float
        Share asked for.
    budget_kind : str
        ``"final"`` or ``"compute"``; see :class:`~pruneviz.engine.Budget`.
    seeds, errors : int
        Draws, and rows with an error.
    accuracy, agreement : Share
        Right answers, and answers equal to the unpruned ones.
    by_kind : dict of str to Share
        Right answers of each kind.
    tokens, layer_average, flops : float
        Means over the questions: visual tokens after the last stage and per decoder layer; true
        FLOPs, vision encoder and choosing included.
    tokens_share, layer_share, flops_share : float
        The same as a share of the unpruned run's.
    share : float
        Accuracy over the unpruned accuracy, on the same questions.
    mean_share : float
        The same of each kind, averaged over the kinds that the unpruned model answers at all; as
        papers average over benchmarks.
    against_unpruned, against_random : Pair or None
        Paired; random at the same budget.
    hard, hard_unpruned : Share
        Of the questions that the downsampled picture at the same budget fails: accuracy of the
        method and of the unpruned model. The others tell little, for a coarser picture answers
        them (the point of VTC-Bench).
    pareto : bool
        Whether no other entry is as accurate at fewer FLOPs or more accurate at as few.
    """

    method: str
    title: str
    budget: float
    budget_kind: str
    seeds: int
    errors: int
    accuracy: Share
    agreement: Share
    by_kind: dict[str, Share]
    tokens: float
    layer_average: float
    flops: float
    tokens_share: float
    layer_share: float
    flops_share: float
    share: float
    mean_share: float
    against_unpruned: Pair | None
    against_random: Pair | None
    hard: Share
    hard_unpruned: Share
    pareto: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None in place of NaN."""
        return dict(_plain(asdict(self)))


def entries(results: Results) -> list[Entry]:
    """Every method at every budget, the unpruned run first."""
    found = [_entry(results, group) for group in results.groups]
    front = pareto([(one.flops, one.accuracy.value) for one in found])
    return [Entry(**{**vars(one), "pareto": best}) for one, best in zip(found, front, strict=True)]


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, worth) no other beats: not dearer and not worse, and not the same."""
    return [
        not any(c <= cost and w >= worth and (c, w) != (cost, worth) for c, w in points)
        and not np.isnan(worth)
        for cost, worth in points
    ]


def _entry(results: Results, group: Group) -> Entry:
    base, kinds = results.unpruned, np.array(results.kinds)
    names = [kind for kind in dict.fromkeys(results.kinds) if kind]
    both = ~np.isnan(group.score) & ~np.isnan(base.score)
    random = results.find(SEEDED, group.budget)
    coarse = results.find(CONTROL, group.budget)
    hard = coarse.score == 0 if coarse is not None else np.zeros(len(kinds), dtype=bool)
    ratios = [_ratio(group, base, both & (kinds == kind)) for kind in names] if names else []
    known = [ratio for ratio in ratios if not np.isnan(ratio)]
    other = group.arm.pruned
    budget = group.budget
    return Entry(
        method=group.method,
        title=group.arm.title,
        budget=1.0 if budget is None else budget.share,
        budget_kind="final" if budget is None else budget.kind,
        seeds=len(group.right),
        errors=group.failed,
        accuracy=Share.of(group.score),
        agreement=Share.of(group.agrees.mean(axis=0)),
        by_kind={kind: Share.of(group.score[kinds == kind]) for kind in names},
        tokens=_mean(group.tokens),
        layer_average=_mean(group.layer_average),
        flops=_mean(group.flops),
        tokens_share=_over(group.tokens, base.tokens),
        layer_share=_over(group.layer_average, base.layer_average),
        flops_share=_over(group.flops, base.flops),
        share=_ratio(group, base, both),
        mean_share=float(np.mean(known)) if known else _ratio(group, base, both),
        against_unpruned=Pair.of(group.right, base.right) if other else None,
        against_random=(
            Pair.of(group.right, random.right) if random is not None and random != group else None
        ),
        hard=Share.of(group.score[hard]),
        hard_unpruned=Share.of(base.score[hard]),
    )


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _over(values: np.ndarray, whole: np.ndarray) -> float:
    """Sum over sum, of the questions that both have."""
    both = ~np.isnan(values) & ~np.isnan(whole)
    total = whole[both].sum()
    return float(values[both].sum() / total) if total else np.nan


def _ratio(group: Group, base: Group, chosen: np.ndarray) -> float:
    whole = base.score[chosen].sum()
    return float(group.score[chosen].sum() / whole) if whole else np.nan


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
