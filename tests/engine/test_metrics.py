import numpy as np
import pytest

from pruneviz.metrics import first_divergence, kl_divergence, mean_logprob, overlap


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1, 2], [1, 2], None), ([1, 2], [1, 3], 1), ([1], [1, 2], 1), ([], [], None), ([], [1], 0)],
)
def test_first_divergence(a, b, expected):
    assert first_divergence(a, b) == expected


def test_kl_divergence():
    p, q = np.log([0.5, 0.5]), np.log([0.9, 0.1])
    expected = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)
    assert kl_divergence(p, q) == pytest.approx(expected)
    assert kl_divergence(p, p + 3.0) == 0.0


def test_kl_divergence_with_impossible_tokens():
    assert kl_divergence(np.array([0.0, -np.inf]), np.array([0.0, 0.0])) == pytest.approx(np.log(2))


def test_mean_logprob():
    logits = np.log([[0.25, 0.75], [0.5, 0.5]])
    assert mean_logprob(logits, [1, 0]) == pytest.approx((np.log(0.75) + np.log(0.5)) / 2)
    assert mean_logprob(logits[:0], []) == 0.0


def test_overlap():
    assert overlap(np.array([1, 2, 3]), np.array([2, 3, 4])) == 0.5
    assert overlap(np.array([]), np.array([])) == 1.0
