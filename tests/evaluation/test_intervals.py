"""Intervals and tests against SciPy and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pruneviz.evaluation.intervals import mcnemar, merged_p, needed, paired_difference, wilson


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
    cells = rng.multinomial(150, [0.06, 0.03, 0.91], size=4000)
    ends = np.array([paired_difference(int(b), int(c), 150) for b, c, _ in cells])
    covered = ((ends[:, 0] <= 0.03) & (ends[:, 1] >= 0.03)).mean()
    assert 0.93 < covered < 0.98


def test_paired_difference_by_hand() -> None:
    # Cells 4.5 and 1.5 of 102: difference 3 / 102, spread (6 - 9 / 102) / 102^2.
    low, high = paired_difference(4, 1, 100, z=1.0)
    middle, half = 3 / 102, np.sqrt(6 - 9 / 102) / 102
    assert (low, high) == pytest.approx((middle - half, middle + half))


def test_no_disagreement_is_no_certainty() -> None:
    low, high = paired_difference(0, 0, 20)
    assert low == pytest.approx(-high)
    assert high > 0.05


def test_needed_questions_give_the_width_asked_for() -> None:
    count = needed(8, 4, 100, within=0.01)
    assert 4000 < count < 6000
    scaled = paired_difference(round(count * 8.5 / 102), round(count * 4.5 / 102), count)
    assert (scaled[1] - scaled[0]) / 2 == pytest.approx(0.01, rel=0.01)
