"""Intervals and paired tests for answers that are right or wrong."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from pruneviz.evaluation.beta import beta_quantile

TAIL = 0.025
"""To either side of an interval of 95 %."""
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


def clopper_pearson(right: float, total: float, tail: float = TAIL) -> tuple[float, float]:
    """Exact interval of a proportion, which neither end misses more often than `tail`.

    Parameters
    ----------
    right, total : float
        Successes, and trials above 0; neither need be whole.
    tail : float
        Probability left to either side.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].

    Notes
    -----
    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26 (1934).
    """
    wrong = total - right
    low = beta_quantile(tail, right, wrong + 1) if right > 0 else 0.0
    return low, beta_quantile(1 - tail, right + 1, wrong) if wrong > 0 else 1.0


def paired_difference(lost: float, won: float, total: float) -> tuple[float, float]:
    """95 % interval of the difference of two proportions on the same questions: `lost` less `won`.

    Parameters
    ----------
    lost, won : float
        As in :func:`mcnemar`; not whole where they are means over seeds.
    total : float
        All questions, above 0; not whole where questions about one picture count as fewer.

    Returns
    -------
    tuple of float
        Lower and upper end, in [-1, 1].

    Notes
    -----
    The exact intervals of the two shares, put together by G. Y. Zou and A. Donner, "Construction of
    confidence limits about effect measures: a general approach", Statistics in Medicine 27 (2008):
    each end takes from either share the distance to its own end, and the two shares are correlated
    as the cells of a multinomial distribution are. Where nothing is won the upper end is the exact
    one of what is lost, so that a true loss beyond an end is missed in no more than 2.5 % of runs;
    intervals by a normal approximation miss it several times as often there.
    """
    one, other = lost / total, won / total
    one_low, one_high = clopper_pearson(lost, total)
    other_low, other_high = clopper_pearson(won, total)
    apart = (1 - one) * (1 - other)
    tied = sqrt(one * other / apart) if apart > 0 else 0.0
    below = _joined(one - one_low, other_high - other, tied)
    above = _joined(one_high - one, other - other_low, tied)
    return max(-1.0, one - other - below), min(1.0, one - other + above)


def _joined(one: float, other: float, tied: float) -> float:
    return sqrt(one * one + other * other + 2 * tied * one * other)


def needed(lost: float, won: float, total: int, within: float, z: float = Z) -> int:
    """About how many independent questions such an interval takes to reach no further.

    Parameters
    ----------
    lost, won : float
    total : int
        As in :func:`paired_difference`: how often the two differ, as far as it is known. Half a
        question is added to each cell, as A. Agresti and Y. Min do ("Simple improved confidence
        intervals for comparing matched proportions", Statistics in Medicine 24, 2005).
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
