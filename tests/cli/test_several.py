"""``pruneviz compare`` and ``pruneviz sweep``, and the files that the page exports too."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from pruneviz.cli import main
from pruneviz.exports.files import NAMES


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("several") / "picture.png"
    values = np.random.default_rng(1).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def run(picture, out, *words: str) -> list[dict[str, str]]:
    command, *rest = words
    arguments = [command, str(picture), "Where is the cat?", "--max-new-tokens", "3", *rest]
    assert main([*arguments, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == set(NAMES)
    assert (out / "figure.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(out / "figure.png") as figure:
        assert figure.width > 1000
    return list(csv.DictReader((out / "table.csv").open(encoding="utf-8")))


def test_compare_writes_every_number(picture, tmp_path, capsys) -> None:
    words = ("--method", "visionzip", "--method", "fopru", "--method", "random")
    rows = run(picture, tmp_path, "compare", *words, "--keep-ratio", "0.125")
    assert [row["method"] for row in rows] == ["visionzip", "fopru", "random"]
    assert [row["final_tokens"] for row in rows] == ["32"] * 3
    assert [row["merged"] for row in rows] == ["true", "false", "false"]
    assert [bool(row["agreement"]) for row in rows] == [False, True, True]
    values = json.loads((tmp_path / "values.json").read_text())
    assert values["merged_names"] == ["visionzip"]
    assert values["budget"] == 0.125
    cost = values["methods"][1]["pruned"]["cost"]
    true = cost["llm_flops"] + cost["vision_flops"] + cost["scoring_flops"]
    assert float(rows[1]["total_flops"]) == true
    said = capsys.readouterr().out
    assert "Baseline: " in said
    assert "VisionZip: " in said
    assert "32 left, layer average 32.0" in said


def test_compare_holds_methods_against_what_matters(picture, tmp_path, capsys) -> None:
    words = ("--method", "fopru", "--method", "uniform", "--matters")
    rows = run(picture, tmp_path, "compare", *words)
    values = json.loads((tmp_path / "values.json").read_text())
    assert len(values["matters"]["blocks"]) == 64
    judged = [one["judgement"] for one in values["methods"]]
    assert [row["matters_by"] for row in rows] == ["scores", "kept"]
    assert float(rows[0]["matters_correlation"]) == judged[0]["correlation"]
    assert rows[1]["matters_shared"] == ""
    said = capsys.readouterr().out
    assert f"of its scores with what matters {judged[0]['correlation']:+.2f}" in said
    assert "of what it keeps with what matters" in said


def test_compare_says_what_is_out_of_reach(picture, capsys) -> None:
    words = ["--method", "fastv", "--equal-compute", "0.05", "--max-new-tokens", "1"]
    assert main(["compare", str(picture), "Where is the cat?", *words]) == 0
    assert "cannot come down" in capsys.readouterr().out


def test_sweep_writes_runs_break_points_and_chance(picture, tmp_path, capsys) -> None:
    words = ("--method", "random", "--keep-ratio", "1", "--keep-ratio", "0.0625")
    rows = run(picture, tmp_path, "sweep", *words)
    kinds = [row["row"] for row in rows]
    assert kinds.count("break point") == 1
    chance = [row for row in rows if row["row"] == "chance"]
    assert [(row["kept"], row["draws"]) for row in chance] == [("256", "10"), ("16", "10")]
    values = json.loads((tmp_path / "values.json").read_text())
    points = values["methods"][0]["points"]
    assert len(points) == kinds.count("run")
    parting = ["" if p["parting_kl"] is None else str(p["parting_kl"]) for p in points]
    assert [row["parting_kl"] for row in rows if row["row"] == "run"] == parting
    assert any(parting), "Sixteen patches change the answer."
    found = values["methods"][0]["break_point"]["kept"]
    said = capsys.readouterr().out
    assert f"Random: the baseline's answer from {found} of 256 visual tokens up" in said
    assert f"Chance: {chance[1]['draws_same']} of 10 random draws give it at 16" in said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["compare", "--keep-ratio", "0"], "above 0 and up to 1"),
        (["compare", "--method", "nothing"], "Unknown method 'nothing'"),
        (["compare", "--max-new-tokens", "0"], "at least 1"),
        (["sweep", "--keep-ratio", "2"], "every keep ratio"),
        (["sweep", "--method", "nothing"], "Unknown method 'nothing'"),
    ],
)
def test_bad_settings_are_refused_before_a_model_is_loaded(
    picture, capsys, monkeypatch, words, problem
) -> None:
    def load(*_):
        raise AssertionError("A model was loaded.")

    monkeypatch.setattr("pruneviz.commands.question.load_model", load)
    command, *rest = words
    assert main([command, str(picture), "What?", *rest]) == 1
    assert problem in capsys.readouterr().err
