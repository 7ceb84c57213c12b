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
    answer_logprob, baseline_logprob : float
        Mean log-probability per token of the baseline's answer under the pruned model and under
        the baseline itself, in nats.
    """

    exact_match: bool
    first_divergence: int | None
    first_token_kl: float
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
