"""What a visitor sets: checked before anything runs, and said as a command line."""

from __future__ import annotations

import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pruneviz.cli import build_parser
from pruneviz.commands import evaluate
from pruneviz.engine import Budget
from pruneviz.errors import InputError
from pruneviz.evaluation import load_cases
from pruneviz.evaluation.files import DataError
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui.howmuch.texts import OWN
from pruneviz.ui.howmuch.wanted import read
from tests.ui.howmuch.made import ROWS, SMALL, own_set


def session(name: str = EMBEDDED, newlines: str = "visual", positions: str | None = None):
    return SimpleNamespace(
        loaded=SimpleNamespace(name=name), newlines=newlines, positions=positions
    )


def test_a_built_in_set(tmp_path) -> None:
    asked = read(SMALL, tmp_path / "files")
    assert asked.cases == load_cases("scenes:6:0")
    assert len(asked.cases) * len(asked.arms) == ROWS
    assert asked.tolerance == 0.01
    assert not (tmp_path / "files").exists()
    other = read(replace(SMALL, data="small", seed=3.0, kind="compute", budgets="40"), tmp_path)
    assert other.cases == load_cases("small:6:3")
    assert {arm.budget for arm in other.arms} == {None, Budget(0.4, "compute")}


def test_ones_own(tmp_path) -> None:
    asked = read(replace(SMALL, data=OWN, files=[str(own_set(tmp_path))]), tmp_path / "files")
    assert [case.rule for case in asked.cases] == ["normalised", "agreement", "yes-no"]
    assert asked.title == "My questions (mine.jsonl)"
    exact = replace(SMALL, data=OWN, files=[str(tmp_path / "own.zip")], scoring="exact")
    asked = read(exact, tmp_path / "more")
    assert [case.rule for case in asked.cases] == ["exact", "agreement", "exact"]


def test_mistakes_in_a_file_are_listed_by_line(tmp_path) -> None:
    lines = [
        {"image": "p/one.png", "question": ""},
        {"image": "p/one.png", "question": "What is this?"},
        {"image": "../../../etc/hostname", "question": "What is this?"},
        {"image": "p/gone.png", "question": "What is this?"},
    ]
    wanted = replace(SMALL, data=OWN, files=[str(own_set(tmp_path, lines))])
    with pytest.raises(DataError, match=r"mine.jsonl: 3 lines cannot be used") as caught:
        read(wanted, tmp_path / "files")
    said = str(caught.value).splitlines()
    assert said[1].startswith("line 1: has no question")
    assert said[2].startswith("line 3: names an image outside of the folder")
    assert said[3].startswith("line 4: there is no such image")


def test_the_first_ten_mistakes_are_shown(tmp_path) -> None:
    lines = [{"image": "p/one.png", "question": ""}] * 200
    wanted = replace(SMALL, data=OWN, files=[str(own_set(tmp_path, lines))])
    with pytest.raises(DataError, match="200 lines cannot be used") as caught:
        read(wanted, tmp_path / "files")
    said = str(caught.value).splitlines()
    assert said[10] == "line 10: has no question"
    assert said[11:] == ["and 190 more."]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ()}, "at least one method"),
        ({"methods": ("nothing",)}, "Unknown method 'nothing'"),
        ({"budgets": ""}, "Budgets are percentages"),
        ({"budgets": "0"}, "A budget lies above 0"),
        ({"budgets": 0.5}, "list of shares"),
        ({"budgets": (2,)}, "up to 1"),
        ({"count": None}, "Type the number of questions"),
        ({"count": float("nan")}, "Type the number of questions"),
        ({"count": 2.5}, "whole number, not 2.5"),
        ({"count": 0}, "from 1 to"),
        ({"count": -3}, "from 1 to"),
        ({"seed": -1}, "seed of scenes must be from 0"),
        ({"draws": 0}, "number of draws of Random must be from 1 to 100, not 0"),
        ({"tolerance": 0}, "tolerance must be from 0.0001 to 100 points, not 0\\."),
        ({"tolerance": 1e-200}, "tolerance must be from 0.0001 to 100 points, not 1e-200"),
        ({"tolerance": None}, "Type the number of points"),
        ({"data": "nothing"}, "Unknown set"),
        ({"data": OWN}, "Choose your files first"),
        ({"kind": "flops"}, "kind of budget"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path, changes, words) -> None:
    with pytest.raises(InputError, match=words):
        read(replace(SMALL, **changes), tmp_path)


def test_the_number_of_rows_is_bounded_and_said(tmp_path) -> None:
    assert read(SMALL, tmp_path, ROWS).cases
    with pytest.raises(InputError, match=r"That is 66 rows: 6 questions, .* under 10 pairs"):
        read(SMALL, tmp_path, ROWS - 1)
    with pytest.raises(InputError, match="ask at most 5 questions"):
        read(SMALL, tmp_path, ROWS - 1)
    own = replace(SMALL, data=OWN, files=[str(own_set(tmp_path))])
    with pytest.raises(InputError, match="That is 33 rows: 3 questions"):
        read(own, tmp_path / "files", 32)
    with pytest.raises(InputError, match="has 3 lines"):
        read(own, tmp_path / "more", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"budgets": "33.3, 2.9", "kind": "compute", "tolerance": 2.5},
        {"data": "small", "seed": 7},
    ],
)
def test_the_command_line_asks_the_same_rows(tmp_path, changes) -> None:
    asked = read(replace(SMALL, **changes), tmp_path)
    program, *words = shlex.split(asked.command(session()))
    assert program == "pruneviz"
    args = build_parser().parse_args(words)
    assert evaluate._arms(args) == asked.arms
    assert load_cases(args.data, args.question, args.scoring) == asked.cases
    assert args.tolerance == 100 * asked.tolerance
    assert args.model == EMBEDDED


def test_the_command_line_names_model_and_reading(tmp_path) -> None:
    wanted = replace(SMALL, data=OWN, files=[str(own_set(tmp_path))], scoring="contains")
    command = read(wanted, tmp_path / "files").command(session("a/b c", "text", "keep"))
    args = build_parser().parse_args(shlex.split(command)[1:])
    assert (args.data, args.scoring, args.model) == ("mine.jsonl", "contains", "a/b c")
    assert (args.newlines, args.positions) == ("text", "keep")
