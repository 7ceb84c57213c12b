"""Export of Compare and Sweep as plain functions: files, link, command, what a link restores."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from pruneviz.cli import build_parser
from pruneviz.engine import Budget
from pruneviz.ui.ask import links
from pruneviz.ui.compare import comparing
from pruneviz.ui.compare.comparing import Wanted, compare
from pruneviz.ui.shared import exports
from pruneviz.ui.shared.opened import found
from pruneviz.ui.shared.runs import HeldRun, Run, command_of, query_of, read_methods
from pruneviz.ui.shared.shown import SIDE, release
from pruneviz.ui.sweep import sweeping
from pruneviz.ui.sweep.sweeping import SweepWanted, run_sweep
from tests.ui.conftest import QUESTION

MODEL = ["embedded"]


@pytest.fixture(scope="module")
def compared(session, examples) -> Run:
    wanted = Wanted(str(examples[1].image), QUESTION, ["tome", "uniform"], 12.5, "compute")
    *_, last = compare(session, wanted)
    return last.run


@pytest.fixture(scope="module")
def swept(session, examples) -> Run:
    wanted = SweepWanted(str(examples[1].image), QUESTION, ["uniform"], "50, 6.25")
    *_, last = run_sweep(session, wanted)
    return last.run


@pytest.fixture
def cache(tmp_path):
    def copy(path: str) -> str:
        return shutil.copy(path, tmp_path)

    return copy


@pytest.mark.parametrize("name", exports.TITLES)
@pytest.mark.parametrize("tab", ["compare", "sweep"])
def test_every_file_is_what_its_name_says(request, cache, tab, name) -> None:
    held = HeldRun(request.getfixturevalue({"compare": "compared", "sweep": "swept"}[tab]))
    path, note = exports.make_writer(name, cache)(held)
    assert Path(path).name == f"pruneviz-{tab}-{name}"
    assert "Saved as" in note
    data = Path(path).read_bytes()
    if name.endswith("csv"):
        rows = list(csv.DictReader(data.decode().splitlines()))
        assert {row["method"] for row in rows} == {
            "compare": {"tome", "uniform"},
            "sweep": {"uniform"},
        }[tab]
    elif name.endswith("json"):
        values = json.loads(data)
        assert values["question"] == QUESTION
        assert values["model"] == "PruneViz's built-in model"
    else:
        assert data.startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[name[-3:]])
    assert max(held.run.image.size) <= SIDE
    release(held)
    assert not Path(path).exists(), "gone with the visitor"


def test_nothing_run_is_a_message(cache) -> None:
    path, note = exports.make_writer("table.csv", cache)(None)
    assert path is None
    assert "Run the methods first" in note
    kind, text, note, _ = exports.make_copier("command", [], MODEL)(None)
    assert (kind, text) == ("command", "")
    assert 'data-kind="error"' in note


def test_a_stopped_run_has_nothing_to_export(session, picture) -> None:
    first, second, *_ = compare(session, Wanted(str(picture), QUESTION, ["uniform"], 25))
    assert (first.run, second.run) == (None, None)


def test_a_link_restores_the_tab(compared, swept, examples) -> None:
    values = dict(parse_qsl(query_of(compared, examples, MODEL)))
    assert (values["example"], values["q"], values["model"]) == ("second", QUESTION, "embedded")
    assert comparing.restored(values) == (["tome", "uniform"], "compute", 12.5)
    tabs, line, *settings = found(values, "compare", 3, comparing.restored)
    assert tabs["selected"] == "compare"
    assert "Press the button" in line
    assert settings == [["tome", "uniform"], "compute", 12.5]
    assert len(found(values, "sweep", 2, sweeping.restored)) == 4
    assert "selected" not in found(values, "sweep", 2, sweeping.restored)[0]
    # The Ask tab is asked the same question.
    assert links.read_query(values, examples).question.text == QUESTION
    values = dict(parse_qsl(query_of(swept, examples, MODEL)))
    assert sweeping.restored(values) == (["uniform"], "50, 6.25")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"methods": "<b>,,", "budget": "0", "kind": "flops", "ratios": "x"},
        {"methods": "", "budget": "nan", "kind": "", "ratios": "0, 200"},
        {"budget": "101", "ratios": ", ".join(map(str, range(1, 90)))},
    ],
)
def test_a_link_that_makes_no_sense_changes_nothing(values) -> None:
    assert comparing.restored(values) == (None, None, None)
    assert sweeping.restored(values) == (None, None)
    assert read_methods("fopru,<b>,fopru,fastv") == ["fopru", "fastv"]


def test_a_command_repeats_the_run(compared, swept, examples) -> None:
    program = shlex.split(command_of(compared, examples))
    assert program[:3] == ["python", "-m", "pruneviz"]
    args = build_parser().parse_args(program[3:])
    assert (args.command, args.question, args.method) == ("compare", QUESTION, ["tome", "uniform"])
    assert Budget(args.equal_compute, "compute") == compared.result.budget
    assert Path(args.image).name == "second.png"
    args = build_parser().parse_args(shlex.split(command_of(swept, examples))[3:])
    assert (args.command, args.method, args.keep_ratio) == ("sweep", ["uniform"], [0.5, 0.0625])
    assert args.out == Path("results")


def test_ones_own_picture_stays_here(compared) -> None:
    values = dict(parse_qsl(query_of(compared, [], MODEL)))
    assert "example" not in values
    note = exports.make_copier("link", [], [])(HeldRun(compared))[2]
    assert "without your picture" in note
    assert "not the model" in note
    assert "model" not in dict(parse_qsl(query_of(compared, [], [])))
