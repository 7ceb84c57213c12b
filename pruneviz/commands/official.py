"""``pruneviz evaluate --from-lmms``: runs of lmms-eval as one table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pruneviz.errors import InputError
from pruneviz.lmms.merged import merge
from pruneviz.lmms.results import read_runs
from pruneviz.lmms.writing import write_merged


def merge_results(paths: Sequence[Path], metrics: Sequence[str], folder: Path, command: str) -> int:
    """Read the runs, write and show their table; `metrics` are ``TASK=NAME``."""
    lines, problems = merge(read_runs(paths), dict(map(_metric, metrics)))
    files, table = write_merged(folder, lines, problems, command)
    sys.stdout.write(table)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"Written to {folder}: {', '.join(path.name for path in files)}\n")
    return 0


def _metric(text: str) -> tuple[str, str]:
    task, sign, name = text.partition("=")
    if not (task and sign and name):
        raise InputError(f"--metric takes TASK=NAME, such as pope=pope_f1_score, not {text!r}.")
    return task, name
