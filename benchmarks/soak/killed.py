"""An evaluation that is killed again and again loses no row and doubles none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.soak.parts import Row
from benchmarks.soak.server import ROOT

ARGUMENTS = ["scenes:40", "--method", "fopru", "--method", "random", "--keep-ratio", "0.25"]
KILLS = 4


def killed_evaluation() -> list[Row]:
    """Kill an evaluation with -9 in the middle, four times, and compare with one left alone."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        whole, broken = Path(folder, "whole"), Path(folder, "broken")
        _run(whole).wait()
        wanted = _rows(whole)
        at = []
        for number in range(KILLS):
            process = _run(broken)
            before = len(_rows(broken))
            while len(_rows(broken)) < before + 15 * (number + 1) and process.poll() is None:
                time.sleep(0.02)
            process.kill()
            process.wait()
            at.append(len(_rows(broken)))
        _run(broken).wait()
        found = _rows(broken)
    ids = Counter(row["id"] for row in found)
    doubled = sum(count - 1 for count in ids.values())
    lost = len({row["id"] for row in wanted} - set(ids))
    answers = {row["id"]: row["answer"] for row in wanted}
    other = sum(row["answer"] != answers.get(row["id"]) for row in found)
    line = (
        f"killed at {', '.join(map(str, at))} of {len(wanted)} rows; {lost} lost, {doubled} "
        f"doubled, {other} answers other than without a kill"
    )
    good = len(wanted) > 100 and not (lost or doubled or other)
    return [Row(f"kill -9 in the middle of an evaluation, {KILLS} times", line, good)]


def _run(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pruneviz", "evaluate", *ARGUMENTS, "--device", "cpu"]
    return subprocess.Popen(  # noqa: S603 - our own program
        [*command, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _rows(out: Path) -> list[dict]:
    """Whole lines of the log."""
    path = out / "rows.jsonl"
    if not path.is_file():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]
