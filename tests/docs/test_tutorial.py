"""The tutorial does what it says, in a copy of the project, as a reader would follow it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.docs.play import MismatchError, Player, blocks, commands

ROOT = Path(__file__).resolve().parents[2]
PLAY = Path(__file__).with_name("play.py")


def folder(path: Path) -> Path:
    """The project without its tests, the reader's to change."""
    shutil.copytree(
        ROOT / "pruneviz", path / "pruneviz", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "app.py", path)
    (path / "assets").symlink_to(ROOT / "assets")
    return path


def follow(page: Path, path: Path) -> None:
    """Run every block of a page in a folder of its own; fails on the first that differs."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, PLAY, page],
        cwd=folder(path),
        env=os.environ | {"PYTHONPATH": str(path), "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_block_of_the_tutorial_prints_what_is_shown(tmp_path: Path) -> None:
    follow(ROOT / "docs" / "tutorial.md", tmp_path)
    files = ROOT / "docs" / "tutorial-mask.png", tmp_path / "mask.png"
    shown, drawn = (np.asarray(Image.open(file)) for file in files)
    assert shown.shape == drawn.shape
    assert (shown != drawn).mean() < 0.02, "the tutorial shows another mask"


def test_the_readmes_lines_print_what_is_shown(tmp_path: Path) -> None:
    follow(ROOT / "README.md", tmp_path)


def test_the_limits_by_arithmetic_are_what_the_snippets_print(tmp_path: Path) -> None:
    follow(ROOT / "docs" / "speed.md", tmp_path)


def test_a_method_outside_the_package_reaches_the_command_line(tmp_path: Path) -> None:
    follow(ROOT / "docs" / "add-method.md", tmp_path)


def play(page: str) -> None:
    Player().play(blocks(page))


def test_blocks_share_a_session_and_may_leave_things_open() -> None:
    play(
        "```python\na = 2\n```\nand\n\n```python\nprint(a, 'x' * 9)\n```\n\n```text\n2 x...x\n```\n"
    )


@pytest.mark.parametrize("shown", ["```text\n3\n```\n", ""])
def test_another_output_is_found(shown) -> None:
    with pytest.raises(MismatchError, match="line 3"):
        play("Two\n\n```python\nprint(2)\n```\n" + shown)


def test_commands_run() -> None:
    play("```console\n$ python -c \\\n    'print(1 + 1)'\n2\n$ python -c 'print(3)'\n3\n```\n")
    with pytest.raises(MismatchError, match="no_such"):
        play("```console\n$ python -m no_such\n```\n")


def test_a_command_ends_where_the_next_begins() -> None:
    assert commands("$ a b\nx\ny\n$ c\n") == [("a b", "x\ny\n"), ("c", "")]
