"""Runs of lmms-eval as one table, on results made up by hand."""

from __future__ import annotations

import csv
import json

import pytest
from scipy.stats import binomtest

from pruneviz.cli import main
from pruneviz.errors import InputError
from pruneviz.lmms.merged import merge
from pruneviz.lmms.results import read_runs
from pruneviz.lmms.writing import markdown

BASE = "pretrained=org/m,method=none"


def write(folder, name, arguments, scores, samples=None, limit=None, **changed):
    """Results of one task, ``pope``, whose second metric is lower."""
    questions = len(scores)
    mean = sum(scores) / questions
    whole = {
        "results": {
            "pope": {
                "alias": "pope",
                "pope_accuracy,none": mean,
                "pope_accuracy_stderr,none": "N/A",
                "pope_f1_score,none": mean / 2,
                "submission,none": None,
            }
        },
        "higher_is_better": {
            "pope": {"pope_accuracy": True, "pope_f1_score": True, "submission": True}
        },
        "n-samples": {"pope": {"original": 9000, "effective": questions}},
        "config": {
            "model": "pruneviz", "model_args": arguments, "limit": limit, "offset": 0,
            "gen_kwargs": None,
        },
        "throughput": {
            "avg_pope/visual_tokens_kept": 576 if "none" in arguments else 72,
            "avg_pope/layer_average": 576 if "none" in arguments else 144.5,
            "avg_pope/flops": 8e12 if "none" in arguments else 2e12,
        },
    } | changed  # fmt: skip
    path = folder / f"{name}_results.json"
    path.write_text(json.dumps(whole))
    if samples is not False:
        lines = [
            json.dumps(
                {"doc_id": n, "input": f"{n}?\u2028", "pope_accuracy": {"score": s}}
                | {"pope_f1_score": {"score": s}},
                ensure_ascii=False,
            )
            for n, s in enumerate(scores)
        ]
        path.with_name(f"{name}_samples_pope.jsonl").write_text("\n".join(lines))
    return path


def test_against_the_unpruned_run(tmp_path) -> None:
    base = [1.0] * 30 + [0.0] * 10
    pruned = [0.0] * 9 + [1.0] * 23 + [0.0] * 8
    write(tmp_path, "a", f"{BASE[:-4]}fastv,keep_ratio=0.125", pruned)
    write(tmp_path, "b", BASE, base)
    lines, problems = merge(read_runs([tmp_path]))
    assert problems == []
    assert [line.run.title for line in lines] == ["Unpruned", "FastV"]
    cell = lines[1].cells["pope"]
    assert cell.metric == "pope_accuracy"
    assert cell.score == pytest.approx(23 / 40)
    assert cell.share == pytest.approx(23 / 30)
    assert (cell.lost, cell.won) == (9, 2)
    assert cell.p == pytest.approx(binomtest(2, 11).pvalue)
    assert lines[1].flops_share == 0.25
    assert lines[1].mean_share == pytest.approx(23 / 30)
    assert (lines[1].tokens, lines[1].layer_average) == (72, 144.5)
    assert lines[0].mean_share == 1.0
    assert lines[0].cells["pope"].share is None


def test_the_metric_may_be_chosen(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 0.0])
    lines, _ = merge(read_runs([tmp_path]), {"pope": "pope_f1_score"})
    assert lines[0].cells["pope"].score == 0.25
    for wanted in ({"pope": "f2"}, {"gqa": "exact_match"}):
        with pytest.raises(InputError, match="no such"):
            merge(read_runs([tmp_path]), wanted)


def test_what_was_asked_otherwise_is_not_compared(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0])
    write(tmp_path, "b", "pretrained=org/m,method=fopru,keep_ratio=0.5", [1.0, 0.0], limit=2)
    lines, problems = merge(read_runs([tmp_path]))
    assert lines[1].cells["pope"].share is None
    assert lines[1].flops_share is None
    assert "asked otherwise" in problems[0]


FOPRU = "pretrained=org/m,method=fopru,keep_ratio=0.5"


def test_other_prompts_are_not_compared(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0])
    write(tmp_path, "b", FOPRU, [1.0, 0.0])
    samples = tmp_path / "b_samples_pope.jsonl"
    samples.write_text(samples.read_text().replace("1?", "Is that 1?"))
    lines, problems = merge(read_runs([tmp_path]))
    assert lines[1].cells["pope"].share is None
    assert "prompts" in problems[0]


def test_no_test_on_a_part_of_the_questions(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0])
    write(tmp_path, "b", FOPRU, [0.0, 1.0])
    samples = tmp_path / "b_samples_pope.jsonl"
    samples.write_text(samples.read_text().split("\n")[0])
    lines, problems = merge(read_runs([tmp_path]))
    assert lines[1].cells["pope"].share == 0.5
    assert lines[1].cells["pope"].p is None
    assert "1 of 2 questions" in problems[0]


def test_a_task_without_an_unpruned_run_is_told(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0])
    write(tmp_path, "b", FOPRU, [1.0, 1.0])
    path = write(tmp_path, "c", FOPRU, [1.0, 1.0])
    path.write_text(path.read_text().replace('"pope"', '"gqa"'))
    (told,) = merge(read_runs([tmp_path]))[1]
    assert "no unpruned run of org/m on gqa:" in told


def test_a_mean_over_fewer_tasks_is_told(tmp_path) -> None:
    for name, arguments in (("a", BASE), ("b", FOPRU)):
        path = write(tmp_path, f"{name}1", arguments, [1.0, 1.0])
        path.write_text(path.read_text().replace('"pope"', '"gqa"'))
        write(tmp_path, f"{name}2", arguments, [1.0, 1.0])
    write(tmp_path, "c", "pretrained=org/m,method=fastv", [1.0, 0.0])
    table = markdown(merge(read_runs([tmp_path]))[0])
    assert "| 50 % (1 of 2 tasks) |" in table
    assert "| 100 % | 100.0 (100 %)" in table


def test_a_trial_hides_no_whole_run_and_later_runs_count(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0, 1.0, 1.0], date="20260101_000002")
    write(tmp_path, "b", BASE, [1.0, 0.0, 0.0, 0.0], date="20260101_000001")
    write(tmp_path, "c", BASE, [0.0, 0.0], limit=2, date="20260101_000003")
    write(tmp_path, "d", FOPRU, [1.0, 0.0, 0.0, 1.0])
    lines, problems = merge(read_runs([tmp_path]))
    assert lines[0].cells["pope"].score == 1.0
    assert lines[1].cells["pope"].share == 0.5
    (told,) = problems
    assert "pope in b_results.json; pope in c_results.json" in told


def test_each_task_keeps_what_it_was_asked(tmp_path) -> None:
    """A line of two runs, of which one was a trial."""
    for name, arguments in (("a", BASE), ("b", FOPRU)):
        path = write(tmp_path, f"{name}1", arguments, [1.0, 1.0], limit=2)
        path.write_text(path.read_text().replace('"pope"', '"gqa"'))
        write(tmp_path, f"{name}2", arguments, [1.0, 1.0])
    lines, problems = merge(read_runs([tmp_path]))
    assert problems == []
    assert [cell.share for cell in lines[1].cells.values()] == [1.0, 1.0]


def test_what_changes_no_score_is_the_same_model(tmp_path) -> None:
    same = {"limit": -1, "offset": 0, "gen_kwargs": ""}
    write(tmp_path, "a", f"{BASE},device=cuda:1,dtype=auto,journal=j", [1.0, 1.0])
    config = {"model": "pruneviz", "model_args": f"{FOPRU},newlines=visual", **same}
    write(tmp_path, "b", FOPRU, [1.0, 0.0], config=config)
    lines, problems = merge(read_runs([tmp_path]))
    assert problems == []
    assert lines[1].cells["pope"].share == 0.5


def test_questions_behind_an_offset(tmp_path) -> None:
    config = {"model": "pruneviz", "model_args": BASE, "offset": 8997}
    write(tmp_path, "a", BASE, [1.0] * 8, config=config)
    assert read_runs([tmp_path])[0].tasks["pope"].questions == 3


def test_a_score_that_is_no_number_is_none(tmp_path) -> None:
    path = write(tmp_path, "a", BASE, [1.0, float("nan")])
    (run,) = read_runs([path])
    assert run.tasks["pope"].metrics == {}
    assert run.tasks["pope"].samples["1"].scores == {}
    lines, problems = merge([run])
    assert lines[0].cells == {}
    assert "pope has no score" in problems[0]


def test_a_model_without_an_unpruned_run_is_told(tmp_path) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0], samples=False)
    arguments = "pretrained=org/m,method=fopru,keep_ratio=0.5"
    write(tmp_path, "b", arguments, [1.0, 0.0], samples=False)
    write(tmp_path, "c", f"{arguments},dtype=float16", [1.0, 0.0])
    lines, problems = merge(read_runs([tmp_path]))
    assert len(lines) == 3
    assert lines[1].cells["pope"].lost is None  # nothing logged
    assert lines[1].cells["pope"].share == 0.5
    assert lines[2].run.model == "org/m (dtype float16)"
    assert len(problems) == 1
    assert "--model_args pretrained=org/m,dtype=float16,method=none" in problems[0]


def test_runs_of_one_method_are_one_line(tmp_path) -> None:
    write(tmp_path, "a", BASE, [0.0, 0.0])
    path = write(tmp_path, "b", BASE, [1.0, 1.0])
    path.write_text(path.read_text().replace('"pope"', '"gqa"'))
    lines, _ = merge(read_runs([tmp_path]))
    assert [list(line.cells) for line in lines] == [["pope", "gqa"]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"config": {"model": "llava_hf", "model_args": ""}}, "--model llava_hf"),
        ({"config": None}, "no results file"),
        ({"results": None}, "no results file"),
        ({"config": {"model": "pruneviz", "model_args": "method=x"}}, r"a_results\.json: Unknown"),
        ({"n-samples": {"pope": {"effective": "x", "original": 1}}}, "no results file"),
    ],
)
def test_other_files_are_refused(tmp_path, change, told) -> None:
    path = write(tmp_path, "a", BASE, [1.0], **change)
    with pytest.raises(InputError, match=told):
        read_runs([path])


def test_missing_and_damaged_files(tmp_path) -> None:
    with pytest.raises(InputError, match="There is no"):
        read_runs([tmp_path / "none"])
    with pytest.raises(InputError, match="holds no results"):
        read_runs([tmp_path])
    write(tmp_path, "a", BASE, [1.0])
    (tmp_path / "a_samples_pope.jsonl").write_text('{"doc_id": 0')
    with pytest.raises(InputError, match=r"a_samples_pope\.jsonl is damaged"):
        read_runs([tmp_path])
    for text in ("{", "[1]"):
        (tmp_path / "x_results.json").write_text(text)
        with pytest.raises(InputError, match=r"damaged|no results file"):
            read_runs([tmp_path])


def test_the_command(tmp_path, capsys) -> None:
    write(tmp_path, "a", BASE, [1.0, 1.0, 0.0, 1.0])
    write(tmp_path, "b", "pretrained=org/m,method=fopru,keep_tokens=64", [1.0, 0.0, 0.0, 1.0])
    out = tmp_path / "out"
    assert main(["evaluate", "--from-lmms", str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    table = (out / "benchmarks.md").read_text()
    assert table in said
    assert "| 64 tokens | 72 | 144.5 | 25 % | 66.7 % | 50.0 (66.7 %), lost 1, won 0, p 1 |" in table
    with (out / "benchmarks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["score"]) for row in rows] == [("none", "0.75"), ("fopru", "0.5")]
    whole = json.loads((out / "benchmarks.json").read_text())
    assert whole["rows"][1]["lost"] == 1
    page = (out / "benchmarks.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "64 tokens" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scenes:3", "--from-lmms", "x", "--out", "o"], "not both"),
        (["--out", "o"], "Say what to ask"),
        (["--from-lmms", ".", "--metric", "pope", "--out", "o"], "TASK=NAME"),
    ],
)
def test_the_command_refuses(words, told, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a", BASE, [1.0])
    assert main(["evaluate", *words]) == 1
    assert told in capsys.readouterr().err
