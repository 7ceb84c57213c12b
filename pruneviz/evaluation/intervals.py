"""Intervals and paired tests for answers that are right or wrong."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

Z = NormalDist().inv_cdf(0.975)
"""Of a two-sided interval of 95 %."""


def wilson(right: float, total: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Parameters
    ----------
    right : float
        Successes; not whole where it is a mean over seeds.
    total : int
        Trials, at least 1.
    z : float
        Quantile of the normal distribution; default: 95 %, two-sided.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927): the proportions p that lie no more than
    ``z sqrt(p (1 - p) / n)`` from the one observed.
    """
    share, part = right / total, z * z / total
    middle = (share + part / 2) / (1 + part)
    half = z / (1 + part) * sqrt(share * (1 - share) / total + part / (4 * total))
    # At 0 and at 1 one end is exact; rounding may miss it by a little.
    return (0.0 if right <= 0 else middle - half), (1.0 if right >= total else middle + half)


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided p-value of McNemar's test.

    Parameters
    ----------
    lost, won : int
        Questions that only the one, and only the other, answers right.

    Returns
    -------
    float
        Probability, were each of the ``lost + won`` questions as likely to fall to either side,
        that they are shared out at least as unevenly; 1 where there is none.

    Notes
    -----
    Q. McNemar, Psychometrika 12 (1947), with the binomial distribution in place of its
    approximation: twice the smaller tail, at most 1.
    """
    trials, fewer = lost + won, min(lost, won)
    term = tail = 1
    for taken in range(fewer):
        term = term * (trials - taken) // (taken + 1)
        tail += term
    # Whole numbers, divided once: exact also where 2 ** trials is no float.
    return min(1.0, 2 * tail / (1 << trials)) if trials else 1.0


def merged_p(values: list[float]) -> float:
    """One p-value for several of the same question, however they depend on one another.

    Twice their mean, at most 1: V. Vovk and R. Wang, "Combining p-values via averaging",
    Biometrika 107 (2020).
    """
    return min(1.0, 2 * sum(values) / len(values))


def paired_difference(lost: int, won: int, total: int, z: float = Z) -> tuple[float, float]:
    """Interval of the difference of two proportions on the same questions: `lost` less `won`.

    Parameters
    ----------
    lost, won : int
        As in :func:`mcnemar`.
    total : int
        All questions, at least 1.
    z : float
        Quantile of the normal distribution.

    Returns
    -------
    tuple of float
        Lower and upper end, in [-1, 1].

    Notes
    -----
    A. Agresti and Y. Min, "Simple improved confidence intervals for comparing matched
    proportions", Statistics in Medicine 24 (2005): Wald's interval with half a question added to
    each of the four cells, so that no disagreement among few questions does not pass for
    certainty.
    """
    one, other, size = lost + 0.5, won + 0.5, total + 2
    middle = (one - other) / size
    half = z * sqrt(one + other - (one - other) ** 2 / size) / size
    return max(-1.0, middle - half), min(1.0, middle + half)


def needed(lost: int, won: int, total: int, within: float, z: float = Z) -> int:
    """About how many questions such an interval needs to reach no further than `within`.

    Parameters
    ----------
    lost, won, total : int
        As in :func:`paired_difference`: how often the two differ, as far as it is known.
    within : float
        Half the width asked for, in (0, 1].
    z : float
        Quantile of the normal distribution.

    Returns
    -------
    int
        At least 1.
    """
    one, other, size = (lost + 0.5) / (total + 2), (won + 0.5) / (total + 2), 1.0
    spread = one + other - (one - other) ** 2 / size
    return max(1, int(np.ceil(z * z * spread / (within * within))))
