"""What a finished run shows, which questions are behind a point, and what is saved of it."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from pruneviz import cli
from pruneviz.evaluation.log import read_rows
from pruneviz.ui.howmuch import texts
from pruneviz.ui.howmuch.changed import changed, opened
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.payload import HARD, plot
from pruneviz.ui.howmuch.runs import Desk, release
from pruneviz.ui.howmuch.tables import answer_html, tables_html
from pruneviz.ui.howmuch.wiring import _command, make_open, make_pick, make_save
from pruneviz.ui.shared import methods
from tests.ui.howmuch.made import ROWS, run


@pytest.fixture(scope="module")
def desk(session):
    made = Desk()
    run(session, made)
    yield made
    release(made)


@pytest.fixture(scope="module")
def shown(desk) -> dict:
    return plot(desk.outcome)


def lossy(desk) -> tuple[str, float, list[int]]:
    """A method and budget that lost questions."""
    for group in desk.outcome.results.pruned:
        lost, _ = desk.outcome.results.changed(group)
        if lost:
            return group.method, group.budget.share, lost
    raise AssertionError("nothing was lost at 3 %")


def test_points_say_what_the_statistics_say(desk, shown) -> None:
    points = {(c["name"], p["budget"]): p for c in shown["curves"] for p in c["points"]}
    for one in desk.outcome.entries[1:]:
        point = points[one.method, one.budget]
        assert point["worth"][0]["at"] == 100 * one.accuracy.value
        assert point["worth"][0]["low"] == 100 * one.accuracy.low
        shares = (one.tokens_share, one.layer_share, one.flops_share)
        assert point["x"] == [100 * share for share in shares]
        assert point["pareto"] == one.pareto
        assert f"{100 * one.accuracy.value:.1f} % right" in point["worth"][0]["text"]
        assert f"{one.tokens:.4g} visual tokens left" in point["lines"][0]
        assert f"lost {one.against_unpruned.lost:.3g}, won" in point["lines"][2]
    assert len(points) == len(desk.outcome.entries) - 1
    json.dumps(shown, allow_nan=False)


def test_slices_are_kinds_and_what_downsampling_fails(desk, shown) -> None:
    entries = desk.outcome.entries
    titles = {one["name"]: one["title"] for one in shown["slices"]}
    kinds = entries[0].by_kind
    assert next(iter(titles)) == "all"
    assert {name for name in titles if name.startswith("kind:")} == {f"kind:{k}" for k in kinds}
    for place, one in enumerate(shown["slices"]):
        if one["name"].startswith("kind:"):
            share = kinds[one["name"].removeprefix("kind:")]
            assert one["unpruned"]["at"] == 100 * share.value
            assert f"({share.questions})" in one["title"]
        if one["name"] == HARD:
            point = shown["curves"][0]["points"][-1]
            hard = entries[2].hard
            assert (point["worth"][place] or {}).get("at") == (
                100 * hard.value if hard.questions else None
            )


def test_methods_look_as_in_every_other_plot(shown) -> None:
    known = methods.looks()
    looks = [curve["look"] for curve in shown["curves"]]
    assert looks == [known[curve["name"]].to_dict() for curve in shown["curves"]]
    assert len({(look["light"], look["path"]) for look in looks}) == len(looks)


def test_the_answer_names_every_method_and_the_tolerance(desk) -> None:
    html = answer_html(desk.outcome, running=False)
    for one in desk.outcome.recommended:
        assert one.title in html
    assert "loses at most 1 point" in html
    assert "so far" not in html
    assert "After 6 questions so far" in answer_html(desk.outcome, running=True)
    assert tables_html(desk.outcome).count("<table") == 2


def test_methods_stand_on_the_same_questions_while_a_run_goes_on(desk) -> None:
    whole = desk.outcome
    asked, plan, ids = whole.asked, whole.plan, whole.ids
    missing = set(ids[5][3:])
    rows = {key: row for key, row in whole.rows.items() if key not in missing}
    some = Outcome.of(asked, plan, ids, rows, running=True)
    assert (some.questions, some.complete) == (5, True)
    assert {one.accuracy.questions for one in some.entries} == {5}
    missing = {keys[-1] for keys in ids}
    rows = {key: row for key, row in whole.rows.items() if key not in missing}
    first = Outcome.of(asked, plan, ids, rows, running=True)
    assert (first.questions, first.complete) == (6, False), "all that there is, where none has all"
    assert [one.accuracy.questions for one in first.entries] == [6] * 8 + [0]
    assert "rows are there" in Outcome.of(asked, plan, ids, rows).problems[0]
    assert not any("rows are there" in text for text in first.problems)


def test_lost_questions_behind_a_point(desk) -> None:
    method, share, lost = lossy(desk)
    found = changed(desk.outcome, {"method": method, "budget": share, "slice": "all"})
    first, second = found["lists"]
    assert first["title"] == f"Lost: {len(lost)}"
    assert second["title"].startswith("Won: ")
    assert [item["number"] for item in first["items"]] == lost
    item, case = first["items"][0], desk.outcome.plan.cases[lost[0]]
    assert item["question"] == case.question
    assert item["unpruned"] == item["truth"] == case.truth.answers[0]
    assert item["pruned"] != item["truth"]
    assert item["thumb"].startswith("data:image/jpeg;base64,")
    assert first["note"] == "right without pruning, wrong with it"
    kind = changed(desk.outcome, {"method": method, "budget": share, "slice": f"kind:{case.kind}"})
    kinds = {item["kind"] for item in kind["lists"][0]["items"]}
    assert kinds == {case.kind}
    assert f"({case.kind})" in kind["title"]


def test_lists_of_several_draws_say_their_rule(desk) -> None:
    lists = changed(desk.outcome, {"method": "random", "budget": 0.03, "slice": "all"})["lists"]
    assert [one["note"] for one in lists] == [
        "right without pruning, wrong with it in more than half of the 2 draws",
        "wrong without pruning, right with it in more than half of the 2 draws",
    ]


@pytest.mark.parametrize(
    "data",
    [None, {}, [], "x", {"method": "fopru"}, {"method": "fopru", "budget": "x"},
     {"method": "fopru", "budget": 0.4}, {"method": "none", "budget": 0.5},
     {"method": "fopru", "budget": 7}, {"method": [], "budget": 0.5}],
)  # fmt: skip
def test_nonsense_from_the_browser_is_ignored(desk, data) -> None:
    assert changed(desk.outcome, data) is None
    assert opened(desk.outcome, data, 16, desk.folder) is None
    assert make_pick()(desk, SimpleNamespace(_data=data)) == gr.skip()


@pytest.mark.parametrize("number", [None, -1, 6, "x"])
def test_questions_that_are_not_there_are_not_opened(desk, number) -> None:
    data = {"method": "fopru", "budget": 0.5, "number": number}
    assert opened(desk.outcome, data, 16, desk.folder) is None


def test_nothing_is_behind_a_point_before_a_run(desk) -> None:
    event = SimpleNamespace(_data={"method": "fopru", "budget": 0.5})
    assert make_pick()(None, event) == gr.skip()
    with pytest.raises(gr.Error, match="over an hour old"):
        make_open([])(None, event)
    assert make_save(str)(None)[0] is None
    assert texts.NOTHING_TO_SAVE in _command(None)[1]


def test_an_opened_question_gives_the_answer_of_its_row(desk, session) -> None:
    method, share, lost = lossy(desk)
    data = {"method": method, "budget": share, "number": lost[0]}
    options = list(methods.options())
    values = make_open(options)(desk, SimpleNamespace(_data=data))
    image, question, name, keep, *rest = values
    assert (name, question) == (method, desk.outcome.plan.cases[lost[0]].question)
    own = {
        key: value for key, value in zip(options, rest, strict=False) if key.startswith(f"{name}.")
    }
    made = methods.make(name, keep / 100, session.num_layers, methods.own_options(name, own))
    answer = session.compare(session.prepare(image, question), made).pruned
    found = changed(desk.outcome, data)
    item = next(one for one in found["lists"][0]["items"] if one["number"] == lost[0])
    assert answer.text in item["pruned"].split(" / ")
    assert rest[-1] == gr.update(selected="ask")
    others = [v for k, v in zip(options, rest, strict=False) if not k.startswith(f"{name}.")]
    assert all(value == gr.skip() for value in others), "settings of other methods stay"


def test_of_random_a_draw_that_lost_is_opened(desk) -> None:
    outcome = desk.outcome
    group = outcome.group("random", 0.03)
    lost, _ = outcome.results.changed(group)
    number = lost[0]
    wrong = next(seed for seed in range(2) if group.right[seed, number] == 0)
    data = {"method": "random", "budget": 0.03, "number": number}
    assert opened(outcome, data, 16, desk.folder / "opened").options == {"seed": wrong}


def test_equal_compute_is_opened_at_the_ratio_that_meets_it(session) -> None:
    desk = Desk()
    try:
        run(session, desk, count=1, methods=("fastv",), budgets="40", kind="compute")
        outcome = desk.outcome
        data = {"method": "fastv", "budget": 0.4, "number": 0}
        found = opened(outcome, data, session.num_layers, desk.folder / "opened")
        method = methods.make("fastv", found.keep_percent / 100, session.num_layers)
        prepared = session.prepare(found.image, found.text)
        cost = session.compare(prepared, method).pruned.cost
        row = outcome.rows[outcome.ids[0][1]]
        assert (cost.final_tokens, cost.layer_average) == (row["tokens"], row["layer_average"])
        assert "40 % compute" in changed(outcome, data)["title"]
    finally:
        release(desk)


def test_everything_is_saved_and_the_command_goes_on_with_it(desk, tmp_path, capsys) -> None:
    served: list[bytes] = []

    def keep(path: str) -> str:
        served.append(Path(path).read_bytes())
        copy = tmp_path / "served.zip"
        copy.write_bytes(served[0])
        return str(copy)

    path, note = make_save(keep)(desk)
    assert "Saved as pruneviz-evaluation.zip" in note
    folder = tmp_path / "out"
    with zipfile.ZipFile(io.BytesIO(served[0])) as archive:
        archive.extractall(folder)
    there = {file.name for file in folder.iterdir()}
    assert there - {"rows.parquet"} == {
        "accuracy.pdf", "accuracy.png", "command.txt", "kinds.csv", "kinds.pdf", "kinds.png",
        "report.html", "rows.csv", "rows.jsonl", "summary.json", "table.csv", "table.md",
    }  # fmt: skip
    assert read_rows(folder / "rows.jsonl") == desk.outcome.rows
    command = (folder / "command.txt").read_text().strip()
    assert _command(desk)[0] == gr.update(value=command, visible=True)
    words = shlex.split(command)
    words[words.index("--out") + 1] = str(folder)
    before = (folder / "summary.json").read_text()
    capsys.readouterr()
    assert cli.main(words[1:]) == 0
    assert len((folder / "rows.jsonl").read_text().splitlines()) == ROWS, "nothing is asked again"
    first, second = (json.loads(t) for t in (before, (folder / "summary.json").read_text()))
    assert first["recommended"] == second["recommended"]
    assert first["entries"] == second["entries"]
    release(SimpleNamespace(run=None, files=desk.files, folder=tmp_path / "none"))
    assert not Path(path).exists(), "gone with the visitor"
