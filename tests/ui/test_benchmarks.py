from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui.browsing import SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.browser
@pytest.mark.slow
def test_repaint_runs_and_reports() -> None:
    """That it works, not how fast: a busy machine proves nothing."""
    command = [sys.executable, "-m", "benchmarks.repaint", "--steps", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "4 panels of 24 x 24 patches, 3 moves" in done.stderr
    assert len(re.findall(r"median +[\d.]+ ms, longest +[\d.]+ ms", done.stderr)) == 3
