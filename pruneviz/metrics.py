"""How close a pruned run stays to the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fidelity:
    """Pruned against baseline on one question.

    Attributes
    ----------
    exact_match : bool
        Whether both answers are the same token for token.
    first_divergence : int or None
        0-based answer token at which they part, None where they do not.
    first_token_kl : float
        KL(baseline || pruned) of the first answer token's distribution, in nats.
    parting_kl : float or None
        The same at the token at which they part, both after the words that they share; None where
        they do not part.
    largest_kl : float
        The largest over the tokens of the baseline's answer, the pruned model having been told the
        baseline's words before each.
    largest_kl_at : int
        0-based answer token at which that is.
    answer_logprob, baseline_logprob : float
        Mean log-probability per token of the baseline's answer under the pruned model and under
        the baseline itself, in nats.
    """

    exact_match: bool
    first_divergence: int | None
    first_token_kl: float
    parting_kl: float | None
    largest_kl: float
    largest_kl_at: int
    answer_logprob: float
    baseline_logprob: float


def first_divergence(baseline: Sequence[int], other: Sequence[int]) -> int | None:
    """Index of the first differing token; None where the sequences are equal."""
    for index, (a, b) in enumerate(zip(baseline, other, strict=False)):
        if a != b:
            return index
    return None if len(baseline) == len(other) else min(len(baseline), len(other))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Float64 log-probabilities over the last axis."""
    values = np.asarray(logits, dtype=np.float64)
    values = values - values.max(-1, keepdims=True)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def kl_divergence(baseline: np.ndarray, other: np.ndarray) -> float:
    """KL(baseline || other) in nats, of two logit vectors ``[vocabulary]``."""
    p, q = log_softmax(baseline), log_softmax(other)
    seen = np.exp(p) > 0
    return float(max(0.0, (np.exp(p[seen]) * (p[seen] - q[seen])).sum()))


def token_kls(baseline: np.ndarray, other: np.ndarray) -> np.ndarray:
    """KL(baseline || other) in nats of every token, float64 ``[tokens]``.

    Both are logits ``[tokens, vocabulary]``.
    """
    return np.array([kl_divergence(a, b) for a, b in zip(baseline, other, strict=True)])


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 of the smallest, float64; equal values share the mean of their ranks."""
    _, group, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return np.asarray((ends - (counts - 1) / 2)[group])


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two series of equal length, in [-1, 1], ties sharing their ranks.

    NaN where one of them is constant or has fewer than two values: there is no order then.
    """
    if len(first) < 2:
        return float("nan")
    a, b = (order - order.mean() for order in (ranks(first), ranks(second)))
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / spread) if spread else float("nan")


def mean_logprob(logits: np.ndarray, tokens: Sequence[int]) -> float:
    """Mean log-probability of `tokens`; `logits` ``[len(tokens), vocabulary]`` predict them."""
    if not len(tokens):
        return 0.0
    table = log_softmax(logits)
    return float(table[np.arange(len(tokens)), np.asarray(tokens)].mean())


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two kept sets (1 where both are empty)."""
    union = np.union1d(first, second)
    return float(len(np.intersect1d(first, second)) / len(union)) if len(union) else 1.0
