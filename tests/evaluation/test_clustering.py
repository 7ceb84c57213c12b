"""Questions about one picture, against every resample there is and drawn ones of known truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from pruneviz.evaluation.clustering import design_effect, effective, resampled
from pruneviz.evaluation.intervals import paired_difference


def test_resamples_are_paired() -> None:
    values = np.array([np.arange(50.0), np.arange(50.0) + 1])
    means = resampled(values, np.arange(50), 250, seed=1)
    assert means.shape == (250, 2)
    assert np.allclose(means[:, 1] - means[:, 0], 1)
    assert means[:, 0].mean() == pytest.approx(24.5, abs=0.5)
    assert means[:, 0].std() == pytest.approx(np.arange(50).std() / np.sqrt(50), rel=0.2)


def test_resamples_are_of_whole_pictures() -> None:
    """Three pictures of 1, 2 and 3 questions: all 27 resamples, each as often as it is likely."""
    values, pictures = np.array([1.0, 0, 0, 1, 1, 0]), np.array([7, 2, 2, 5, 5, 5])
    parts = [values[pictures == name] for name in (7, 2, 5)]
    every = [np.concatenate(three).mean() for three in product(parts, repeat=3)]
    wanted = {round(mean, 9): every.count(mean) / 27 for mean in every}
    drawn = resampled(values[None], pictures, 40_000, seed=3)[:, 0].round(9)
    assert set(drawn) == set(wanted)
    for mean, share in wanted.items():
        assert (drawn == mean).mean() == pytest.approx(share, abs=0.01)


def test_the_design_effect_is_that_of_means_of_pictures() -> None:
    """Pictures of one size: the error of their means' mean over that of the questions' mean."""
    rng = np.random.default_rng(2)
    shared = rng.normal(size=5000).repeat(4) + rng.normal(size=20_000)
    pictures = np.arange(5000).repeat(4)
    of_pictures = stats.sem(shared.reshape(-1, 4).mean(axis=1))
    wanted = (of_pictures / stats.sem(shared)) ** 2
    assert design_effect(shared, pictures) == pytest.approx(wanted, rel=0.005)
    # Half of the variance is shared: 1 + 3 / 2.
    assert wanted == pytest.approx(2.5, rel=0.05)


def test_design_effects_that_are_known() -> None:
    alone = np.array([1.0, 0, 0, -1, 0, 1])
    assert design_effect(alone, np.arange(6)) == 1.0
    # Nothing differs, or all of it within a picture: a picture's questions count as one.
    pictures = np.arange(50).repeat(4)
    assert design_effect(np.zeros(200), pictures) == 4.0
    assert design_effect((pictures < 5).astype(float), pictures) == pytest.approx(4, rel=0.02)
    # Three questions lost that have no picture in common tell little of it, fifty much.
    few, many = np.zeros(200), np.zeros(200)
    few[:12:4] = many[::4] = 1
    assert 1.5 < design_effect(few, pictures) < 4
    assert design_effect(many, pictures) < 1.5
    assert design_effect(np.zeros(4), np.zeros(4)) == 4.0


def test_effective_questions() -> None:
    assert effective(200, 200, 1.0) == pytest.approx(200)
    wider = stats.t.ppf(0.975, 5) / stats.t.ppf(0.975, 23)
    assert effective(24, 6, 2.0) == pytest.approx(24 / 2 / wider**2)
    assert effective(40, 1, 40.0) == effective(1, 1, 1.0) == 1.0


@pytest.mark.parametrize("count", [12, 50])
def test_the_interval_keeps_its_level_where_pictures_are_lost_as_a_whole(count) -> None:
    """A loss just beyond 10 points is called less in no more than 2.5 % of drawn sets."""
    rng, pictures = np.random.default_rng(4), np.arange(count).repeat(4)
    missed, missed_alone = [], []
    for _ in range(600):
        lost = (rng.random(count) < 0.101).repeat(4).astype(float)
        worth = effective(4 * count, count, design_effect(lost, pictures))
        for total, found in ((worth, missed), (4 * count, missed_alone)):
            found.append(paired_difference(lost.mean() * total, 0, total)[1] <= 0.1)
    assert np.mean(missed) <= 0.025
    assert np.mean(missed_alone) > 0.05
