"""Intervals and tests against SciPy and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pruneviz.evaluation.intervals import (
    clopper_pearson,
    mcnemar,
    merged_p,
    needed,
    paired_difference,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "total"), [(0, 1), (1, 1), (7, 10), (0, 40), (199, 200), (50, 99)]
)
def test_wilson_is_scipys(right, total) -> None:
    wanted = stats.binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert wilson(right, total) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_wilson_ends_at_zero_and_one() -> None:
    assert wilson(0, 30)[0] == 0.0
    assert wilson(30, 30)[1] == 1.0


def test_wilson_takes_a_mean_over_seeds() -> None:
    low, high = wilson(7.5, 10)
    assert wilson(7, 10)[0] < low < 0.75 < high < wilson(8, 10)[1]


@pytest.mark.parametrize("lost", [0, 1, 3, 12, 700])
@pytest.mark.parametrize("won", [0, 1, 4, 30, 701])
def test_mcnemar_is_the_binomial_test(lost, won) -> None:
    wanted = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_by_hand() -> None:
    # Ten of eleven: 2 (1 + 11) / 2^11.
    assert mcnemar(10, 1) == 24 / 2048
    assert mcnemar(5, 5) == 1.0


def test_merged_p() -> None:
    assert merged_p([0.01, 0.03]) == pytest.approx(0.04)
    assert merged_p([0.9, 0.8]) == 1.0


def test_paired_difference_covers_as_often_as_it_says() -> None:
    """Drawn with a known difference, and half as likely to disagree as real models are."""
    rng = np.random.default_rng(0)
    cells = rng.multinomial(150, [0.06, 0.03, 0.91], size=2000)
    ends = np.array([paired_difference(int(b), int(c), 150) for b, c, _ in cells])
    covered = ((ends[:, 0] <= 0.03) & (ends[:, 1] >= 0.03)).mean()
    assert 0.95 <= covered < 0.99


@pytest.mark.parametrize("total", [60, 194, 200, 400])
@pytest.mark.parametrize("won", [0.0, 0.002, 0.01, 0.05])
def test_a_loss_beyond_the_tolerance_is_called_less_in_few_runs(total, won) -> None:
    """All runs there are, by how likely each is: the true loss is just above one point."""
    shares = [won + 0.0101, won, 1 - 2 * won - 0.0101]
    seen = called = 0.0
    cells = np.indices((60, 60)).reshape(2, -1).T
    cells = np.column_stack([cells, total - cells.sum(axis=1)])[cells.sum(axis=1) <= total]
    chances = stats.multinomial.pmf(cells, total, shares)
    for (lost, gained, _), chance in zip(cells.tolist(), chances, strict=True):
        if chance > 1e-7:
            seen += chance
            called += chance * (paired_difference(lost, gained, total)[1] <= 0.01)
    assert seen > 0.9999
    assert called <= 0.025


@pytest.mark.parametrize(("right", "total"), [(0, 1), (1, 1), (3, 50), (200, 200), (30, 5000)])
def test_clopper_pearson_is_scipys(right, total) -> None:
    wanted = stats.binomtest(right, total).proportion_ci(0.95, method="exact")
    assert clopper_pearson(right, total) == pytest.approx((wanted.low, wanted.high), abs=1e-11)


def test_paired_difference_by_hand() -> None:
    one, other = (stats.binomtest(k, 100).proportion_ci(0.95, method="exact") for k in (4, 1))
    tied = 2 * np.sqrt(0.04 * 0.01 / (0.96 * 0.99))
    low, high = paired_difference(4, 1, 100)
    parts = [(0.04 - one.low, other.high - 0.01), (one.high - 0.04, 0.01 - other.low)]
    below, above = (np.sqrt(a * a + b * b + tied * a * b) for a, b in parts)
    assert (low, high) == pytest.approx((0.03 - below, 0.03 + above))
    assert paired_difference(1, 4, 100) == pytest.approx((-high, -low))


def test_paired_difference_takes_means_over_seeds() -> None:
    low, high = paired_difference(3.5, 1, 100)
    assert paired_difference(3, 1, 100)[0] < low < 0.025 < high < paired_difference(4, 1, 100)[1]


def test_all_lost_and_all_won() -> None:
    low, high = paired_difference(20, 0, 20)
    assert high == 1.0
    assert 0.7 < low < 0.9


def test_no_disagreement_is_no_certainty() -> None:
    low, high = paired_difference(0, 0, 20)
    assert low == pytest.approx(-high)
    assert high > 0.05


def test_needed_questions_give_the_width_asked_for() -> None:
    count = needed(8, 4, 100, within=0.01)
    assert 4000 < count < 6000
    scaled = paired_difference(round(count * 8.5 / 102), round(count * 4.5 / 102), count)
    assert (scaled[1] - scaled[0]) / 2 == pytest.approx(0.01, rel=0.02)
