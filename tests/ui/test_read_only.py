"""Folders that really cannot be written to: a line each, and everything else goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pruneviz.cli import main
from pruneviz.scratch import NOT_WRITABLE, REASONS, Scratch
from pruneviz.ui import build, launch_settings
from pruneviz.ui.ask import exporting
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held, Shown
from tests.ui.conftest import PATIENT, QUESTION

LINES = (NOT_WRITABLE, *REASONS.values())


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], Path]]:
    """Makes a folder read-only, for root, too, whom permissions do not stop."""
    mounted, closed = list[Path](), list[Path]()

    def make(folder: Path) -> Path:
        if os.name == "nt":
            pytest.skip("Windows has no folders without permission to write.")
        if os.geteuid() != 0:
            folder.chmod(0o555)
            closed.append(folder)
            return folder
        for options in (["--bind", folder], ["-o", "remount,ro,bind"]):
            command = ["mount", *map(str, options), str(folder)]
            if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
                pytest.skip("Root may write anywhere and mount nothing here.")
            mounted.append(folder)
        return folder

    yield make
    for folder in reversed(dict.fromkeys(mounted)):
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607
    for folder in closed:
        folder.chmod(0o755)


def sent(url: str, picture: Path) -> httpx.Response:
    files = {"files": ("picture.png", picture.read_bytes())}
    return httpx.post(f"{url}gradio_api/upload", files=files, **PATIENT)


def answer(url: str, *data) -> str:
    begun = httpx.post(f"{url}gradio_api/call/ask", json={"data": data}, **PATIENT)
    return httpx.get(f"{url}gradio_api/call/ask/{begun.json()['event_id']}", **PATIENT).text


def test_the_page_without_a_folder_for_uploads(
    session, examples, picture, read_only, monkeypatch, tmp_path, caplog
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with Scratch.opened(10**9) as own:
        page = build(session, examples)
        settings = launch_settings(scratch=own)
        settings |= {"allowed_paths": [str(examples[0].image.parent)]}
        page.launch(**settings, prevent_thread_lock=True, quiet=True)
        try:
            url = page.local_url
            before = {"path": sent(url, picture).json()[0], "meta": {"_type": "gradio.FileData"}}
            asked = Question(str(examples[0].image), QUESTION, "random", 50, 5)
            shown = merge(list(ask(session, asked))).shown
            assert isinstance(shown, Shown)
            for folder in (own.folder, own.folder / "tmp"):
                read_only(folder)
            refused = sent(url, picture)
            assert refused.status_code == 507
            assert refused.json()["detail"] in LINES
            assert answer(url, before, "Is it still answered?").startswith("event: complete")
            note = exporting.make_writer("figure.png", str)(Held(shown))[1]
            assert any(line in note for line in LINES)
            assert httpx.get(url, **PATIENT).status_code == 200
        finally:
            page.close()
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    "command",
    [
        ["ask", QUESTION, "--method", "random"],
        ["compare", QUESTION, "--method", "random"],
        ["sweep", QUESTION, "--method", "random", "--keep-ratio", "0.5"],
        ["evaluate"],
    ],
)
def test_results_of_the_command_line(command, picture, read_only, tmp_path, capsys) -> None:
    out = ["--out", str(read_only(tmp_path) / "results")]
    name, *rest = command
    first = "small:2" if name == "evaluate" else str(picture)
    assert main([name, first, *rest, *out]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("pruneviz: cannot write the results: ")
