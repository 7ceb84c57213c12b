"""The family that the docs add, in a copy of the project: every test over all families takes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.play import blocks

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pruneviz", "tests", "docs", "README.md", "pyproject.toml")
OVER_ALL = [
    "tests/models/test_families.py",
    *(
        f"tests/pruning/test_{name}.py"
        for name in ("equivalence", "batches", "forward", "generate")
    ),
    "tests/pruning/test_merging.py",
]


def run(path: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", *words],
        cwd=path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_family_is_found_by_the_tests_over_all(tmp_path: Path) -> None:
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    for block in blocks((ROOT / "docs" / "add-family.md").read_text(encoding="utf-8")):
        (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    run(tmp_path, "docs.tables")
    assert "ViP-LLaVA" in (tmp_path / "docs" / "models.md").read_text(encoding="utf-8")
    said = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-k", "vip or Vip", *OVER_ALL)
    assert int(said.rpartition(" passed")[0].split()[-1]) > 100, said
