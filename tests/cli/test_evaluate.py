"""The command from data to report; killed, interrupted, wrongly used."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from pruneviz.cli import main
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.log import read_rows
from pruneviz.starting import INTERRUPTED

SMALL = ["--method", "fopru", "--method", "fastv", "--keep-ratio", "0.25", "--seeds", "2"]
ROWS = 12 * (1 + 2 + 2 + 1)


def command(out, *more: str) -> list[str]:
    return ["evaluate", "scenes:12", *SMALL, "--out", str(out), *more]


def lines(out) -> int:
    path = out / "rows.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def answers(out) -> dict[str, str]:
    return {key: row["answer"] for key, row in read_rows(out / "rows.jsonl").items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert main(command(out)) == 0
    return out


def test_everything_is_written(whole) -> None:
    assert lines(whole) == ROWS
    summary = json.loads((whole / "summary.json").read_text(encoding="utf-8"))
    assert summary["questions"] == 12
    assert summary["command"].startswith("pruneviz evaluate scenes:12 --method fopru")
    assert {"report.html", "table.md", "accuracy.pdf"} <= {path.name for path in whole.iterdir()}
    assert {one["method"] for one in summary["recommended"]} == {
        "fopru", "fastv", "random", "downsample",
    }  # fmt: skip


def test_the_same_command_has_nothing_left_to_do(whole, capsys, monkeypatch) -> None:
    monkeypatch.setattr(Asker, "ask", lambda *_: pytest.fail("asked again"))
    before = (whole / "rows.jsonl").read_bytes()
    assert main(command(whole)) == 0
    assert (whole / "rows.jsonl").read_bytes() == before
    told = capsys.readouterr()
    assert f"{ROWS} of {ROWS} rows (100%)" in told.err
    assert "FoPru: " in told.out
    assert "Written to" in told.out


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("kills", [3])
def test_killed_at_random_moments(whole, tmp_path, kills) -> None:
    """Nothing is lost, nothing doubled, and the answers are those of a run that was left alone."""
    rng, before = random.Random(kills), 0  # noqa: S311 - moments, not secrets
    run = [sys.executable, "-m", "pruneviz", *command(tmp_path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for kill in range(kills):
        wanted = min(before + rng.randint(1, 1 + ROWS // kills), ROWS - 1)
        process = subprocess.Popen(  # noqa: S603
            run, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while lines(tmp_path) < wanted and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lines(tmp_path) >= wanted, f"kill {kill}"
        before = lines(tmp_path)
        if before == ROWS:
            break
    done = subprocess.run(run, env=environment, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert lines(tmp_path) == ROWS
    assert answers(tmp_path) == answers(whole)


def test_interrupted_it_says_how_to_go_on(whole, tmp_path, capsys, monkeypatch) -> None:
    real = Asker.ask

    def interrupted(self, tasks):
        yield next(iter(real(self, tasks)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Asker, "ask", interrupted)
        assert main(command(tmp_path)) == INTERRUPTED
    told = capsys.readouterr()
    assert "Stopped." in told.err
    assert f"of {ROWS} rows are in" in told.err
    assert f"run the same command again:\npruneviz evaluate scenes:12 {' '.join(SMALL)}" in told.err
    assert "the run was stopped" in told.out
    assert 0 < lines(tmp_path) < ROWS
    assert main(command(tmp_path)) == 0
    assert answers(tmp_path) == answers(whole)


def test_a_file_of_ones_own(tmp_path, capsys) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "a.png")
    data = tmp_path / "own.jsonl"
    records = [
        {"image": "a.png", "question": "What is this?", "answers": ["x", "y"], "kind": "what"},
        {"image": "a.png", "question": "Is there a cat?", "answer": "no"},
    ]
    data.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    run = ["evaluate", str(data), "--method", "fopru", "--equal-compute", "0.5", "--no-controls"]
    run += ["--set", "strategy=row", "--out", str(tmp_path / "out"), "--max-new-tokens", "8"]
    assert main(run) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl").values())
    assert len(rows) == 4
    pruned = [row for row in rows if row["method"] == "fopru"]
    assert {row["budget_kind"] for row in pruned} == {"compute"}
    assert pruned[0]["settings"] == {"strategy": "row"}
    assert all(row["layer_average"] <= 128 for row in pruned)
    assert "per decoder layer" in capsys.readouterr().out


def test_a_folder_of_pictures(tmp_path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (60, 40), colour).save(folder / f"{colour}.png")
    run = ["evaluate", str(folder), "--question", "What is this?", "--method", "uniform"]
    run += ["--keep-ratio", "1", "--no-controls", "--out", str(tmp_path / "out")]
    assert main(run) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl").values())
    assert {row["rule"] for row in rows} == {"agreement"}
    # All tokens are kept: the unpruned answer.
    assert all(row["correct"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "There is no 'nothing.csv'"),
        (["scenes:0"], "from 1 to"),
        (["scenes:4", "--method", "nothing"], "Methods: transprune"),
        (["scenes:4", "--keep-ratio", "0"], "above 0 and up to 1"),
        (["scenes:4", "--equal-compute", "2"], "above 0 and up to 1"),
        (["scenes:4", "--tolerance", "0"], "tolerance must be"),
        (["scenes:4", "--tolerance", "nan"], "tolerance must be"),
        (["scenes:4", "--batch", "0"], "--batch must be"),
        (["scenes:4", "--max-new-tokens", "0"], "--max-new-tokens must be"),
        (["scenes:4", "--seeds", "0"], "number of seeds"),
        (["scenes:4", "--set", "alpha=1"], "single method"),
        (["scenes:4", "--method", "fopru", "--set", "beta=1"], "has no parameter 'beta'"),
        (["scenes:4", "--method", "fopru", "--set", "num_layers=1"], "num_layers cannot"),
        (["scenes:4", "--method", "fopru", "--set", "keep_tokens=1"], "not both"),
        (["scenes:4", "--question", "What?"], "goes with a folder"),
        (["scenes:4", "--scoring", "exact"], "goes with a file"),
        (["scenes:4", "--model", "no/such/model"], "No model found"),
    ],
)
def test_wrong_use(tmp_path, monkeypatch, capsys, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments, "--out", "out"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_an_out_that_is_a_file(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(command(tmp_path / "file")) == 1
    assert "cannot write" in capsys.readouterr().err


def test_both_kinds_of_budget_are_wrong_usage(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(command(tmp_path, "--equal-compute", "0.5"))
    assert "not allowed with" in capsys.readouterr().err
