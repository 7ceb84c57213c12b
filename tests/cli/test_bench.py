"""``pruneviz bench``: what it takes, refuses and writes."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from pruneviz.cli import main
from pruneviz.commands import bench

QUICK = ["bench", "--geometry", "tiny", "--device", "cpu", "--pairs", "1", "--warmup", "0"]


def test_methods_ratios_and_batches_make_rows(tmp_path, capsys) -> None:
    found, drawn = tmp_path / "found.json", tmp_path / "drawn.png"
    arguments = ["--keep-ratio", "0.25", "--keep-ratio", "0.5", "--batch", "1", "--batch", "2"]
    methods = ["--method", "fopru", "--method", "fastv", "--tokens", "2"]
    files = ["--json", str(found), "--figure", str(drawn)]
    assert main([*QUICK, *arguments, *methods, *files]) == 0
    text = capsys.readouterr().out
    assert text.startswith("a tiny LLaVA-1.5, random weights: 6 decoder layers, 80 prompt tokens")
    for name in ("FoPru 25 %", "FoPru 50 %", "FastV 25 %", "FastV 50 %"):
        assert sum(line.startswith(f"{name}  ") for line in text.splitlines()) == 2
    data = json.loads(found.read_text(encoding="utf-8"))
    assert data["command"].startswith("pruneviz bench --geometry tiny --device cpu")
    assert [group["batch"] for group in data["groups"]] == [1, 2]
    for group in data["groups"]:
        assert [row["kept"] for row in group["rows"]] == [16, 32, 16, 32]
        assert [row["kv_bytes"] for row in group["rows"]] == [0.4, 0.6, 0.6, 44 / 60]
        assert all(row["ideal"] and row["over_ideal"] for row in group["rows"])
    assert data["verdicts"][-1].startswith("Whether a method pays cannot be told from 1 round")
    with Image.open(drawn) as image:
        assert image.width > 1000


def test_founding_methods_fastv_and_random_by_default(capsys) -> None:
    assert main([*QUICK, "--tokens", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("method"))
    names = [line.split()[0] for line in lines[at + 1 : at + 6]]
    assert names == ["TransPrune", "ResPrune", "FoPru", "FastV", "Random"]


def test_markdown_names_its_command(capsys) -> None:
    arguments = ["--method", "random", "--keep-tokens", "9", "--tokens", "1", "--markdown"]
    assert main([*QUICK, *arguments]) == 0
    text = capsys.readouterr().out
    wanted = "`pruneviz bench --geometry tiny --device cpu --pairs 1 --warmup 0 --method random"
    assert wanted in text
    assert "| Random 9 tokens | 9 |" in text


def test_out_of_reach_is_told_beside_the_others(capsys) -> None:
    arguments = ["--method", "fastv", "--method", "random", "--equal-compute", "0.3"]
    assert main([*QUICK, *arguments, "--tokens", "1"]) == 0
    text = capsys.readouterr().out
    assert "FastV 30 % compute is not measured: FastV cannot come down" in text
    assert "\nRandom 30 % compute  " in text


def test_pins_and_settings_reach_the_method(capsys, monkeypatch) -> None:
    seen = []
    own = bench.measure
    monkeypatch.setattr(
        bench, "measure", lambda s, entries, *rest: seen.extend(entries) or own(s, entries, *rest)
    )
    arguments = ["--method", "fopru", "--set", "strategy=row", "--pin-keep", "3", "--tokens", "1"]
    assert main([*QUICK, *arguments, "--layers", "2"]) == 0
    (entry,) = seen
    assert entry.method.keep == (3,)
    assert entry.method.method.strategy == "row"
    assert "only 2 of its 6 decoder layers" in capsys.readouterr().out


@pytest.mark.slow
def test_a_real_question(tmp_path, capsys) -> None:
    path = tmp_path / "picture.png"
    Image.effect_noise((120, 90), 60).save(path)
    arguments = ["bench", str(path), "Where is the cat?", "--method", "fopru", "--batch", "2"]
    assert main([*arguments, "--keep-ratio", "0.25", "--pairs", "1", "--tokens", "3"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("PruneViz's built-in model: 16 decoder layers")
    assert "FoPru 25 %    64 " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "IMAGE and a QUESTION, or --geometry"),
        (["image.png"], "IMAGE and a QUESTION, or --geometry"),
        (["image.png", "Where?", "--geometry", "tiny"], "not both"),
        (["image.png", "Where?", "--layers", "2"], "--layers goes with --geometry"),
        (["image.png", "Where?"], "There is no file"),
        (["--geometry", "large"], "Geometries: llava-1.5-7b"),
        (["--geometry", "tiny", "--layers", "9"], "layers must be 1 to 6"),
        (["--geometry", "tiny", "--model", "other"], "does not go with --geometry"),
        (["--geometry", "tiny", "--pairs", "0"], "--pairs must be at least 1"),
        (["--geometry", "tiny", "--warmup", "-1"], "warmup must be at least 0"),
        (["--geometry", "tiny", "--tokens", "-3"], "tokens must be at least 1"),
        (["--geometry", "tiny", "--batch", "0"], "at least one row"),
        (["--geometry", "tiny", "--keep-ratio", "0"], "above 0 and up to 1"),
        (["--geometry", "tiny", "--keep-ratio", "0.5", "--keep-ratio", "2"], "above 0 and up to 1"),
        (["--geometry", "tiny", "--keep-ratio", "0.001"], "smallest keep ratio"),
        (["--geometry", "tiny", "--keep-tokens", "65"], "the image has"),
        (["--geometry", "tiny", "--method", "nothing"], "Methods: transprune"),
        (["--geometry", "tiny", "--set", "alpha=1"], "--set goes with a single --method"),
        (["--geometry", "tiny", "--figure", "a.gif"], "must end in .png, .pdf, .svg"),
        (["--geometry", "tiny", "--json", "no/where/a.json"], "no folder 'no/where'"),
        (["--geometry", "tiny", "--json", "."], "is a folder"),
        (
            ["--geometry", "tiny", "--layers", "1", "--method", "fastv"],
            "It cannot be used on a model of one layer.",
        ),
        (["--geometry", "tiny", "--batch", "1", "--batch", "9000000"], "GiB free"),
        (["--geometry", "tiny", "--device", "abacus"], "Unknown device"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, message, capsys) -> None:
    assert main(["bench", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("pruneviz: ")
