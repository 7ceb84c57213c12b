"""The beta distribution and Student's t against SciPy."""

from __future__ import annotations

import pytest
from scipy import stats

from pruneviz.evaluation.beta import beta_cdf, beta_quantile, t_quantile

SHAPES = [(1, 1), (0.5, 0.5), (1, 200), (3.5, 9.25), (30, 4970), (4970, 31), (2500, 2501)]


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("p", [0.001, 0.025, 0.5, 0.975])
def test_the_beta_distribution_is_scipys(a, b, p) -> None:
    x = stats.beta.ppf(p, a, b)
    assert beta_cdf(x, a, b) == pytest.approx(p, rel=1e-9)
    assert beta_quantile(p, a, b) == pytest.approx(x, rel=1e-9)


def test_ends_of_the_beta_distribution() -> None:
    assert (beta_cdf(0.0, 2, 3), beta_cdf(1.0, 2, 3)) == (0.0, 1.0)


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 4999])
def test_students_t_is_scipys(freedom) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-8)
