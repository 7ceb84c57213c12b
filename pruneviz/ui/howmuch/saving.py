"""Everything of a run as a ZIP: the files that ``pruneviz evaluate`` writes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pruneviz.evaluation import write_outcome
from pruneviz.evaluation.log import ROWS
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.runs import Desk

NAME = "pruneviz-evaluation.zip"


def save(desk: Desk, cache: Callable[[str], str]) -> str:
    """Pack what the desk's run left; `cache` keeps a copy and tells where it is served from.

    Raises OSError if it cannot be written.
    """
    run, outcome = desk.run, desk.outcome
    if run is None or outcome is None:
        raise ValueError("There is nothing to save.")
    with TemporaryDirectory(prefix="pruneviz-") as folder:
        path = Path(folder) / NAME
        write(outcome, outcome.asked.command(run.session), path)
        served = cache(str(path))
    desk.files.append(Path(served))
    return served


def write(outcome: Outcome, command: str, path: Path) -> None:
    """Write the ZIP: log, tables, figures, summary, report, and the command that repeats it."""
    with TemporaryDirectory(prefix="pruneviz-") as name:
        folder = Path(name)
        keys = (key for ids in outcome.ids for key in ids if key in outcome.rows)
        lines = (json.dumps(outcome.rows[key], ensure_ascii=False) for key in keys)
        (folder / ROWS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (folder / "command.txt").write_text(f"{command}\n", encoding="utf-8")
        asked = outcome.asked
        write_outcome(folder, outcome.plan, outcome.rows, asked.tolerance, asked.title, command)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
