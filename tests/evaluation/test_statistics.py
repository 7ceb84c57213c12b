"""Statistics of made-up rows against numbers worked out by hand and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pruneviz.engine import Budget
from pruneviz.evaluation.intervals import paired_difference
from pruneviz.evaluation.results import collect, table
from pruneviz.evaluation.statistics import Pair, Share, entries, pareto
from tests.evaluation.made import marks, plan_of

FULL = ("none", 1.0, None)


def by_name(found):
    return {(one.method, one.budget): one for one in found}


@pytest.fixture(scope="module")
def found():
    plan, rows = plan_of(
        {
            FULL: marks(40, 4),
            ("fopru", 0.5, None): marks(40, 6),
            ("fopru", 0.1, None): marks(40, 20),
            ("downsample", 0.5, None): marks(40, range(8)),
            ("downsample", 0.1, None): marks(40, range(0, 40, 2)),
            ("random", 0.5, 0): marks(40, 10),
            ("random", 0.5, 1): marks(40, 14),
            ("random", 0.1, 0): marks(40, 30),
            ("random", 0.1, 1): marks(40, 30),
        },
        kinds=("what", "where"),
    )
    return by_name(entries(collect(plan, rows)))


def test_accuracy_with_interval(found) -> None:
    one = found["fopru", 0.5].accuracy
    wanted = stats.binomtest(34, 40).proportion_ci(method="wilson")
    assert (one.questions, one.value) == (40, 34 / 40)
    assert (one.low, one.high) == pytest.approx((wanted.low, wanted.high))


def test_accuracy_of_kinds(found) -> None:
    kinds = found["fopru", 0.1].by_kind
    assert list(kinds) == ["what", "where"]
    # The first 20 are wrong, ten of each kind.
    assert kinds["what"].value == kinds["where"].value == 0.5
    assert kinds["what"].questions == 20


def test_mcnemar_against_the_unpruned(found) -> None:
    pair = found["fopru", 0.5].against_unpruned
    assert (pair.questions, pair.lost, pair.won) == (40, 2, 0)
    assert pair.p == pytest.approx(stats.binomtest(0, 2).pvalue)
    assert found["none", 1.0].against_unpruned is None


def test_mcnemar_against_every_seed_of_random(found) -> None:
    pair = found["fopru", 0.5].against_random
    # Four more and eight more than the two seeds.
    assert (pair.lost, pair.won) == (0, 6)
    tests = [stats.binomtest(0, 4).pvalue, stats.binomtest(0, 8).pvalue]
    assert pair.p == pytest.approx(min(1.0, 2 * np.mean(tests)))
    assert found["random", 0.5].against_random is None


def test_seeds_count_once(found) -> None:
    one = found["random", 0.5]
    assert one.seeds == 2
    assert one.accuracy.questions == 40
    assert one.accuracy.value == pytest.approx(28 / 40)


def test_agreement(found) -> None:
    # Wrong answers differ by method: only the right ones of both agree.
    assert found["fopru", 0.1].agreement.value == 0.5
    assert found["none", 1.0].agreement.value == 1.0


def test_share_of_the_unpruned_score(found) -> None:
    assert found["fopru", 0.1].share == pytest.approx(20 / 36)
    assert found["fopru", 0.1].mean_share == pytest.approx(10 / 18)
    assert found["none", 1.0].share == found["none", 1.0].mean_share == 1.0


def test_mean_share_leaves_out_kinds_that_the_model_cannot_answer() -> None:
    plan, rows = plan_of(
        {FULL: [1, 0, 1, 0, 1, 0], ("fopru", 0.5, None): [1, 1, 0, 0, 0, 0]},
        kinds=("what", "where"),
    )
    one = entries(collect(plan, rows))[1]
    assert one.mean_share == pytest.approx(1 / 3)
    assert one.share == pytest.approx(2 / 3)


def test_hard_questions_are_those_that_downsampling_fails(found) -> None:
    easy, hard = found["fopru", 0.5], found["fopru", 0.1]
    assert (easy.hard.questions, easy.hard.value) == (8, 2 / 8)
    assert easy.hard_unpruned.value == 4 / 8
    # Even numbers; of those from 20 on all are right.
    assert (hard.hard.questions, hard.hard.value) == (20, 0.5)
    assert hard.hard_unpruned.value == 18 / 20


def test_costs(found) -> None:
    one = found["fopru", 0.1]
    assert (one.tokens, one.layer_average, one.flops) == (10, 10, 200)
    assert one.flops_share == pytest.approx(200 / 1100)
    assert one.tokens_share == one.layer_share == pytest.approx(0.1)


def test_pareto(found) -> None:
    assert found["none", 1.0].pareto
    assert found["fopru", 0.5].pareto
    assert not found["downsample", 0.5].pareto
    assert pareto([(1, 0.5), (1, 0.5), (2, 0.5), (2, 0.6), (3, np.nan)]) == [
        True, True, False, True, False,
    ]  # fmt: skip


def test_errors_are_no_answers() -> None:
    plan, rows = plan_of({FULL: marks(10, 0), ("fopru", 0.5, None): marks(10, 5)})
    for number in (0, 9):
        key = plan.ids(number)[1]
        rows[key] |= {"answer": None, "tokens": None, "error": "out of memory"}
    found = entries(collect(plan, rows))[1]
    assert found.errors == 2
    assert found.accuracy.questions == found.against_unpruned.questions == 8
    assert found.accuracy.value == 0.5
    assert found.share == 0.5
    assert collect(plan, rows).pruned[0].errors == ("out of memory",)


def test_missing_rows_do_not_count() -> None:
    plan, rows = plan_of({FULL: marks(10, 0), ("fopru", 0.5, None): marks(10, 5)})
    for number in range(5, 10):
        del rows[plan.ids(number)[1]]
    found = entries(collect(plan, rows))
    assert found[1].accuracy == Share.of(np.zeros(5))
    assert found[0].accuracy.questions == 10
    assert len(table(plan, rows)) == 15


def test_which_questions_were_lost_and_won() -> None:
    right = {
        FULL: marks(10, [7, 8, 9]),
        ("fopru", 0.5, None): marks(10, [0, 1, 7]),
        ("random", 0.5, 0): marks(10, [0, 9]),
        ("random", 0.5, 1): marks(10, [0, 1, 9]),
        ("random", 0.5, 2): marks(10, [1, 2, 9]),
    }
    plan, rows = plan_of(right)
    results = collect(plan, rows)
    pair = entries(results)[1].against_unpruned
    assert results.changed(results.groups[1]) == ([0, 1], [8, 9])
    assert (pair.lost, pair.won) == (2, 2)
    assert results.changed(results.groups[2]) == ([0, 1], [7, 8])
    key = plan.ids(0)[1]
    rows[key] |= {"answer": None, "error": "out of memory"}
    results = collect(plan, rows)
    assert results.changed(results.groups[1]) == ([1], [8, 9])


def test_nothing_at_all() -> None:
    plan, _ = plan_of({FULL: marks(3, 0), ("fopru", 0.5, None): marks(3, 0)})
    found = entries(collect(plan, {}))
    assert found[1].against_unpruned is None
    assert found[1].accuracy.questions == 0
    assert found[1].to_dict()["share"] is None


def test_without_truth_the_unpruned_answer_is_right() -> None:
    right = {FULL: marks(10, 0), ("fopru", 0.5, None): marks(10, 3)}
    found = entries(collect(*plan_of(right, rule="agreement")))
    assert found[0].accuracy.value == 1.0
    assert found[1].accuracy == found[1].agreement
    assert found[1].accuracy.value == 0.7


def test_mended_answers_need_no_new_run() -> None:
    plan, rows = plan_of({FULL: marks(4, 4)})
    assert table(plan, rows)[0]["correct"] is False
    for key in rows:
        rows[key] |= {"answer": "yes", "correct": False, "expected": ["old"]}
    mended = table(plan, rows)[0]
    assert mended["correct"] is True
    assert mended["expected"] == ["yes"]


def test_pair_of_seeds() -> None:
    one = np.array([[1.0, 1.0, np.nan]])
    other = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    pair = Pair.of(one, other)
    assert (pair.questions, pair.lost, pair.won) == (2, 0, 1.5)
    assert Pair.of(one, np.full((1, 3), np.nan)) is None


def test_the_interval_of_seeds_is_of_their_mean() -> None:
    """One seed loses 1 of 70, the other 0: the middle of the interval is no whole question's."""
    one, other = np.ones((2, 70)), np.ones((1, 70))
    one[0, 0] = 0
    pair = Pair.of(one, other)
    low, high = pair.loss(70)
    assert (low, high) == paired_difference(0.5, 0, 70)
    assert paired_difference(0, 0, 70)[1] < high < paired_difference(1, 0, 70)[1]


def test_budgets_of_another_kind_are_other_groups() -> None:
    plan, rows = plan_of({FULL: marks(4, 0), ("fopru", 0.5, None): marks(4, 0)}, kind="compute")
    results = collect(plan, rows)
    assert results.find("fopru", Budget(0.5, "compute")) is results.groups[1]
    assert results.find("fopru", Budget(0.5)) is None
