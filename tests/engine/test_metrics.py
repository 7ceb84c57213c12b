import numpy as np
import pytest
from scipy import stats

from pruneviz.engine import Settings
from pruneviz.engine.answers import Generated
from pruneviz.metrics import (
    first_divergence,
    kl_divergence,
    mean_logprob,
    overlap,
    ranks,
    spearman,
    token_kls,
)


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


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_rank_correlation_is_scipys(levels):
    rng = np.random.default_rng(levels)
    first, second = rng.integers(0, levels, (2, 60))
    np.testing.assert_array_equal(ranks(first), stats.rankdata(first))
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert spearman(first, first**3) == pytest.approx(1.0)
    assert spearman(first, -first) == pytest.approx(-1.0)


@pytest.mark.parametrize("pair", [([], []), ([1.0], [2.0]), ([1, 1, 1], [1, 2, 3])])
def test_there_is_no_rank_correlation_without_an_order(pair):
    assert np.isnan(spearman(*map(np.array, pair)))


def test_token_kls():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 7))
    wanted = [stats.entropy(np.exp(a) / np.exp(a).sum(), np.exp(b) / np.exp(b).sum())
              for a, b in zip(first, second, strict=True)]  # fmt: skip
    np.testing.assert_allclose(token_kls(first, second), wanted)


def test_divergence_is_told_where_it_happens(session, picture):
    """At the first token, where the answers part, and where it is largest."""
    answer = session.baseline(session.prepare(picture, "Where is the cat?"), Settings(4))
    count = len(answer.token_ids)
    rng = np.random.default_rng(1)
    own, other = rng.normal(size=(2, count, max(answer.token_ids) + 1)).astype(np.float32)
    other[2] = -5 * own[2]
    ids, kls, made = list(answer.token_ids), token_kls(own, other), Generated(answer, own)
    same = made.fidelity(ids, other)
    assert (same.parting_kl, same.largest_kl_at) == (None, 2)
    assert same.largest_kl == pytest.approx(kls[2])
    assert same.first_token_kl == pytest.approx(kls[0])
    parted = made.fidelity([*ids[:1], ids[1] + 1], other)
    assert parted.first_divergence == 1
    assert parted.parting_kl == pytest.approx(kls[1])
