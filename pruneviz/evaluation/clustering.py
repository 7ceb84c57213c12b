"""Questions about one picture are not independent: what pictures say counts by the picture."""

from __future__ import annotations

import numpy as np

from pruneviz.evaluation.beta import t_quantile

BLOCK = 100
"""Resamples drawn at once, which bounds the memory they take."""


def resampled(values: np.ndarray, pictures: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of bootstrap resamples of whole pictures, the same for all rows.

    Parameters
    ----------
    values : np.ndarray
        Float64 ``[rows, questions]``.
    pictures : np.ndarray
        Int ``[questions]``: which picture each is about.
    resamples, seed : int
        How many, and of the generator.

    Returns
    -------
    np.ndarray
        Float64 ``[resamples, rows]``.

    Notes
    -----
    A. C. Davison and D. V. Hinkley, "Bootstrap methods and their application", 1997, section 3.8:
    clusters are drawn with replacement, and each brings all its questions.
    """
    rng, (sums, sizes) = np.random.default_rng(seed), _totals(values, pictures)
    count = len(sizes)
    blocks = []
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=size)
        blocks.append(drawn @ sums.T / (drawn @ sizes)[:, None])
    return np.concatenate(blocks)


def design_effect(values: np.ndarray, pictures: np.ndarray) -> float:
    """How many times the variance of a mean is that of as many independent questions.

    Parameters
    ----------
    values : np.ndarray
        Float64 ``[questions]``.
    pictures : np.ndarray
        Int ``[questions]``: which picture each is about.

    Returns
    -------
    float
        At least 1; exactly 1 where every question has its own picture.

    Notes
    -----
    L. Kish, "Survey sampling", 1965: the variance between clusters over that between questions.
    One more picture, all of whose questions are lost, is added to both, so that few differences
    among many questions do not pass for independent: without any it is the size of a picture.
    """
    sums, sizes = _totals(values[None] - values.mean(), pictures)
    total, count = len(values), len(sizes)
    if count == 1:
        return float(total)
    whole = float((sizes**2).sum() / total)
    between = count / (count - 1) * float((sums**2).sum())
    single = total / (total - 1) * float(((values - values.mean()) ** 2).sum())
    return max(1.0, (between + whole**2) / (single + whole))


def effective(questions: int, pictures: int, effect: float) -> float:
    """As many independent questions as these are worth, from 1 to all of them.

    Parameters
    ----------
    questions, pictures : int
        At least 1.
    effect : float
        See :func:`design_effect`.

    Notes
    -----
    E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number
    of positive counts estimated from survey data", Survey Methodology 24 (1998): fewer by the
    design effect, and by how much wider Student's t is with as many degrees of freedom as there
    are pictures, for few pictures tell that effect badly.
    """
    if pictures == 1:
        return 1.0
    wider = t_quantile(0.975, pictures - 1) / t_quantile(0.975, questions - 1)
    return max(1.0, questions / (effect * wider**2))


def _totals(values: np.ndarray, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums ``[rows, pictures]`` and numbers of questions ``[pictures]``."""
    named, places = np.unique(pictures, return_inverse=True)
    sums = np.zeros((len(named), len(values)))
    np.add.at(sums, places, values.T)
    return sums.T, np.bincount(places).astype(float)
