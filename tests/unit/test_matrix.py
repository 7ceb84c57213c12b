"""The covering sets that tests over several things at once run on."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from tests import matrix
from tests.matrix import covering, once

ROOT = Path(matrix.__file__).parents[1]
AXES: dict[str, tuple[Any, ...]] = {
    "kind": tuple("abcdefgh"),
    "name": tuple(range(20)),
    "backend": ("sdpa", "eager"),
    "positions": ("renumber", "keep"),
    "batch": ("one", "padded"),
}


def fits(kind: str, name: int, backend: str, *_: str) -> bool:
    """Two names need one of the later kinds, one kind takes a single backend."""
    return (name < 18 or kind > "d") and (kind != "a" or backend == "sdpa")


def pairs(rows: list[tuple[Any, ...]]) -> set[Any]:
    return {pair for row in rows for pair in combinations(enumerate(row), 2)}


ALLOWED = [row for row in product(*AXES.values()) if fits(*row)]


def test_every_pair_that_may_occur_does() -> None:
    rows = covering(ALLOWED)
    assert set(rows) <= set(ALLOWED)
    assert len(rows) == len(set(rows))
    assert pairs(rows) == pairs(ALLOWED)
    for kind, name in product(AXES["kind"], AXES["name"]):
        assert ((kind, name) in {row[:2] for row in rows}) == (name < 18 or kind > "d")


def test_a_covering_set_is_small_and_even() -> None:
    """No smaller one than kinds times names is possible; no mode is used for the leftovers."""
    rows = covering(ALLOWED)
    assert len(rows) <= 1.1 * (8 * 18 + 4 * 2)
    for place in (2, 3, 4):
        for value in {row[place] for row in rows}:
            assert sum(row[place] == value for row in rows) >= 0.4 * len(rows)


@pytest.mark.parametrize("rows", [[], [("a",), ("b",)], [("a", 1)], [("a", 1), ("a", 2)]])
def test_few_rows_are_all_taken(rows: list[tuple[Any, ...]]) -> None:
    assert covering(rows) == rows


def test_daily_rows_hold_every_value() -> None:
    rows = covering(ALLOWED)
    daily = once(rows)
    assert daily <= set(rows)
    assert {item for row in daily for item in enumerate(row)} == {
        item for row in rows for item in enumerate(row)
    }
    assert len(daily) <= 25


@pytest.mark.parametrize("full", [False, True])
def test_the_mark_takes_pairs_or_everything(full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "FULL", full)
    mark = matrix.matrix(fits, **AXES).mark
    names, cases = mark.args
    rows = [case.values for case in cases]
    assert names == tuple(AXES)
    assert set(rows) == set(ALLOWED if full else covering(ALLOWED))
    slow = [case for case in cases if case.marks]
    assert set(rows) - {case.values for case in slow} == once(rows)
    assert 0 < len(slow) < len(cases)


PROBE = """
from tests.matrix import matrix

@matrix(a=range(4), b=range(3), c=range(2))
def test_probe(a, b, c):
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "count"), [([], 12), (["--full"], 24), (["-m", "not slow"], 4)]
)
def test_the_command_line_chooses(arguments: list[str], count: int, tmp_path: Path) -> None:
    probe = tmp_path / "test_probe.py"
    probe.write_text(PROBE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "tests.conftest", "-p", "no:cacheprovider", *arguments, str(probe)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout
