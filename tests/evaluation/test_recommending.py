"""The recommended budget where the truth is known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from pruneviz.errors import InputError
from pruneviz.evaluation.recommending import doubts, last_within, recommend
from pruneviz.evaluation.results import collect
from tests.evaluation.made import marks, plan_of

FULL = ("none", 1.0, None)


def given(right, tolerance=0.01, **kwargs):
    return recommend(collect(*plan_of(right, **kwargs)), tolerance)


def test_last_within() -> None:
    assert last_within([0.0, 0.01, 0.02], 0.01) == 2
    assert last_within([0.02, 0.0], 0.01) == 0
    assert last_within([-0.1, 0.0], 0.01) == 2


def test_many_questions_tell_the_budget() -> None:
    """Losses of 0.2, 0.6 and 9 points among 5,000 questions: the middle budget is right."""
    right = {
        FULL: marks(5000, 500),
        ("fopru", 0.5, None): marks(5000, 510),
        ("fopru", 0.25, None): marks(5000, 530),
        ("fopru", 0.1, None): marks(5000, 950),
    }
    (one,) = given(right)
    assert one.budget == 0.25
    assert one.loss == pytest.approx(0.006)
    assert one.sure
    assert (one.low, one.high) == (0.25, 0.25)
    assert one.tokens == 25
    assert one.sentence == (
        "FoPru: 25 % of the visual tokens is enough (25 left; 25 % to 25 % in 95 % of resamples). "
        "It loses 0.6 points (95 % interval of the loss +0.4 to +0.9), within the 1 point allowed, "
        "at 31.8 % of the FLOPs."
    )


def test_a_gain_is_called_so() -> None:
    (one,) = given({FULL: marks(100, 10), ("fopru", 0.5, None): marks(100, 4)})
    assert "It gains 6 points (95 % interval of the loss -" in one.sentence


def test_questions_that_do_not_need_the_picture() -> None:
    right = {
        FULL: marks(100, 80),
        ("fopru", 0.5, None): marks(100, 80),
        ("fopru", 0.1, None): marks(100, 90),
        ("random", 0.5, 0): marks(100, 80),
        ("random", 0.1, 0): marks(100, 80),
    }
    results = collect(*plan_of(right))
    (told,) = doubts(results, recommend(results))
    assert told == (
        "Even Random at 10 %, the smallest budget asked for, loses no more than allowed: on these "
        "questions (the unpruned model answers 20 % right) it hardly matters what is kept."
    )
    right["random", 0.1, 0] = marks(100, 95)
    results = collect(*plan_of(right))
    assert doubts(results, recommend(results)) == []


def test_a_small_set_says_that_it_is_too_small() -> None:
    right = {
        FULL: marks(60, 6),
        ("fopru", 0.5, None): marks(60, [*range(5), 10]),
        ("fopru", 0.25, None): marks(60, 15),
    }
    (one,) = given(right)
    assert one.budget == 0.5
    assert not one.sure
    assert one.loss_high > 0.01
    assert "But 60 questions are too few to be sure" in one.sentence
    assert f"needs about {one.needed // 100 + 1}" in one.sentence.replace(",", "")
    assert one.needed > 1000


def test_no_disagreement_is_no_proof() -> None:
    (one,) = given({FULL: marks(30, 3), ("fopru", 0.5, None): marks(30, 3)})
    assert one.budget == 0.5
    assert one.loss == 0.0
    assert not one.sure


def test_nothing_is_enough() -> None:
    (one,) = given({FULL: marks(200, 0), ("fopru", 0.5, None): marks(200, 100)})
    assert not one.prunes
    assert one.budget == one.low == one.high == 1.0
    assert one.flops_share == 1.0
    assert one.sure
    assert one.sentence.startswith(
        "FoPru: even 50 % of the visual tokens, the largest budget asked for, loses 50 points"
    )
    assert "too few" not in one.sentence


def test_luck_below_a_bad_budget_is_not_taken() -> None:
    right = {
        FULL: marks(200, 0),
        ("fopru", 0.5, None): marks(200, 1),
        ("fopru", 0.25, None): marks(200, 40),
        ("fopru", 0.1, None): marks(200, 0),
    }
    assert given(right)[0].budget == 0.5


def test_the_tolerance_is_the_users() -> None:
    right = {
        FULL: marks(1000, 0),
        ("fopru", 0.5, None): marks(1000, 5),
        ("fopru", 0.1, None): marks(1000, 40),
    }
    assert [given(right, tolerance)[0].budget for tolerance in (0.001, 0.01, 0.04)] == [1, 0.5, 0.1]
    with pytest.raises(InputError, match=r"from 0\.0001 to 100 points, not -1\."):
        given(right, -0.01)


def test_the_interval_covers_the_true_budget() -> None:
    """Of many sets drawn from known losses, nearly all intervals hold the true budget."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(40):
        draw = rng.random(400)
        lines = {
            FULL: np.ones(400, dtype=bool),
            ("fopru", 0.5, None): draw > 0.01,
            ("fopru", 0.25, None): draw > 0.03,
            ("fopru", 0.1, None): draw > 0.2,
        }
        (one,) = recommend(collect(*plan_of(lines)), 0.05, resamples=300)
        held += one.low <= 0.25 <= one.high
        assert one.low <= one.budget <= one.high
    assert held >= 37


def test_methods_that_spend_least_come_first() -> None:
    right = {
        FULL: marks(100, 0),
        ("fopru", 0.5, None): marks(100, 0),
        ("fopru", 0.1, None): marks(100, 50),
        ("resprune", 0.5, None): marks(100, 0),
        ("resprune", 0.1, None): marks(100, 0),
    }
    assert [(one.method, one.budget) for one in given(right)] == [("resprune", 0.1), ("fopru", 0.5)]


def test_seeds_are_averaged() -> None:
    right = {
        FULL: marks(100, 0),
        ("random", 0.5, 0): marks(100, 0),
        ("random", 0.5, 1): marks(100, 4),
    }
    (one,) = given(right, 0.02)
    assert one.loss == pytest.approx(0.02)
    assert one.budget == 0.5


def test_compute_budgets_are_called_so() -> None:
    (one,) = given({FULL: marks(9, 0), ("fopru", 0.5, None): marks(9, 0)}, kind="compute")
    assert "50 % of the visual tokens per decoder layer" in one.sentence


def test_nothing_to_compare() -> None:
    plan, _ = plan_of({FULL: marks(3, 0), ("fopru", 0.5, None): marks(3, 0)})
    assert recommend(collect(plan, {})) == []


def test_questions_about_one_picture_are_not_independent() -> None:
    """Fourteen questions lost among 2,400: by themselves within 1 point, as four pictures not."""
    right = {FULL: marks(2400, 0), ("fopru", 0.5, None): marks(2400, 14)}
    (alone,), (shared,) = given(right), given(right, each=4)
    assert alone.sure
    assert (alone.pictures, alone.design_effect) == (2400, 1.0)
    assert (shared.questions, shared.pictures) == (2400, 600)
    assert shared.design_effect == pytest.approx(3.8, abs=0.2)
    assert shared.loss == alone.loss
    assert shared.loss_high > alone.loss_high
    assert shared.needed == pytest.approx(alone.needed * shared.design_effect, rel=0.001)
    assert not shared.sure
    assert "But 2,400 questions about 600 pictures are too few to be sure" in shared.sentence


def test_resamples_take_whole_pictures() -> None:
    """Two of fifty pictures lost: resamples without any of them are far from rare."""
    right = {FULL: marks(200, 0), ("fopru", 0.5, None): marks(200, 8)}
    assert given(right)[0].low == 1.0
    assert given(right, each=4)[0].low == 0.5


def test_a_budget_that_resamples_find_too_small_is_not_sure() -> None:
    """25 % gains for certain, but 50 %, which must be within as well, is at the tolerance."""
    right = {
        FULL: marks(1000, 20),
        ("fopru", 0.5, None): marks(1000, 30),
        ("fopru", 0.25, None): marks(1000, 0),
    }
    (one,) = given(right)
    assert (one.budget, one.high) == (0.25, 1.0)
    assert one.within
    assert not one.sure
    assert one.sentence.endswith(
        "But 1,000 questions are too few to be sure: in some of the resamples it takes 100 %."
    )


@pytest.mark.parametrize(
    ("count", "lost", "told"), [(1, 0, "1 question is"), (9, 1, "9 questions are"), (400, 0, "")]
)
def test_how_many_it_takes_is_not_made_up(count, lost, told) -> None:
    (one,) = given({FULL: marks(count, 0), ("fopru", 0.5, None): marks(count, lost)}, 0.005)
    assert one.needed is None
    end = "too few to be sure, and too few to tell how many it takes."
    assert one.sentence.endswith(f"But {told or '400 questions are'} {end}")
