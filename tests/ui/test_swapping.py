"""One method asked with another's patches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pruneviz.methods import Pinned
from pruneviz.ui.compare.comparing import Wanted, compare
from pruneviz.ui.compare.swapping import swap, swapped
from pruneviz.ui.shared.runs import Run
from tests.ui.conftest import QUESTION

NAMES = ["transprune", "random", "tome"]


@pytest.fixture(scope="module")
def run(session, picture) -> Run:
    *_, last = compare(session, Wanted(str(picture), QUESTION, NAMES, 12.5))
    return last.run


def test_the_contested_patches_are_pinned(run) -> None:
    own, other, _ = run.result.outcomes
    method = swapped(own, other)
    assert isinstance(method, Pinned)
    assert method.method is own.method
    assert method.keep == tuple(other.kept)
    assert set(method.drop) == set(own.kept) - set(other.kept)


def test_it_is_asked_and_told_beside_both(session, run) -> None:
    *_, last = swap(session, run, {"own": "transprune", "other": "random"})
    assert "Done: TransPrune with Random" in last.status
    assert "TransPrune with Random&#x27;s patches" in last.told
    own, other, _ = run.result.outcomes
    done = session.compare(session.prepare(run.asked, run.question), swapped(own, other))
    assert set(done.pruned.trace.kept) == set(other.kept)
    assert done.pruned.text in last.told
    assert "neither" not in last.told


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"own": "transprune", "other": "tome"}, "instead of merging"),
        ({"own": "fastv", "other": "random"}, "two methods that have run"),
        ({"own": ["x"]}, "two methods that have run"),
        (None, "two methods that have run"),
    ],
)
def test_what_cannot_be_swapped_is_said(session, run, asked, words) -> None:
    *_, last = swap(session, run, asked)
    assert 'data-kind="error"' in last.status
    assert words in last.status


def test_only_the_run_that_is_shown_can_be_swapped(session, run, examples) -> None:
    asked = {"own": "transprune", "other": "random"}
    *_, last = swap(session, None, asked)
    assert "Run the methods first" in last.status
    *_, last = swap(session, replace(run, model="another"), asked)
    assert "Compare again" in last.status
    *_, last = swap(session, replace(run, asked=str(examples[1].image)), asked)
    assert "no longer there" in last.status
