"""Uploads and results: bounded in bytes, and gone when the server is, however it ended."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pruneviz import serving
from pruneviz.errors import PruneVizError
from pruneviz.scratch import PREFIX, Scratch, clean, no_room

WAITS = """
import sys, time
from pruneviz.scratch import Scratch
from pruneviz.serving import terminated
try:
    with terminated(), Scratch.opened(10**6) as scratch:
        (scratch.folder / "upload").write_text("a picture")
        sys.stdout.write(f"{scratch.folder}\\n")
        sys.stdout.flush()
        time.sleep(600)
except KeyboardInterrupt:
    pass
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, size: int, age: float) -> Path:
    path = folder / name / "picture.png"
    path.parent.mkdir()
    path.write_bytes(b"x" * size)
    written = time.time() - age
    os.utime(path, (written, written))
    return path


def test_the_oldest_go_first_and_the_pages_own_files_stay(place) -> None:
    with Scratch.opened(100) as scratch:
        own = put(scratch.served, "own", 90, age=99)
        scratch.keep()
        old, middle, new = (
            put(scratch.served, name, 40, age) for name, age in (("a", 30), ("b", 20), ("c", 10))
        )
        scratch.trim()
        assert [path.exists() for path in (own, old, middle, new)] == [True, False, True, True]
        assert not old.parent.exists()
        scratch.limit = 0
        scratch.trim()
        assert [path.exists() for path in (own, middle, new)] == [True, False, False]


def test_nothing_is_kept_over_an_hour_but_the_pages_own_files(place) -> None:
    with Scratch.opened(10**6) as scratch:
        own = put(scratch.served, "own", 1, age=9000)
        scratch.keep()
        old, new = put(scratch.served, "a", 1, age=3700), put(scratch.served, "b", 1, age=3500)
        scratch.trim()
        assert [path.exists() for path in (own, old, new)] == [True, False, True]


def test_it_is_watched_without_being_asked(place, monkeypatch) -> None:
    monkeypatch.setattr("pruneviz.scratch.EVERY", 0.01)
    with Scratch.opened(10) as scratch:
        path = put(scratch.served, "a", 40, age=0)
        for _ in range(6000):
            if not path.exists():
                break
            time.sleep(0.01)
        assert not path.exists()


def test_what_tidies_tmp_does_not_end_temporary_files(place, monkeypatch) -> None:
    monkeypatch.setattr("pruneviz.scratch.EVERY", 0.01)
    with Scratch.opened(10**6) as scratch:
        # At one go: the watch makes folders anew while others are being taken away.
        shutil.rmtree(scratch.folder.rename(place / "swept"))
        for _ in range(6000):
            if Path(tempfile.gettempdir()).exists():
                break
            time.sleep(0.01)
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).is_relative_to(scratch.folder)


def test_gradio_and_temporary_files_use_it_and_nothing_is_left(place) -> None:
    before = tempfile.gettempdir()
    with Scratch.opened(10**6) as scratch:
        assert scratch.folder.parent == place
        assert os.environ["GRADIO_TEMP_DIR"] == str(scratch.served)
        assert scratch.served.parent == scratch.folder
        with tempfile.NamedTemporaryFile(delete=False) as file:
            assert Path(file.name).is_relative_to(scratch.folder)
    assert os.environ["GRADIO_TEMP_DIR"] == str(place)
    assert tempfile.gettempdir() == before
    assert not list(place.iterdir())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(place, how) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert (folder / "upload").exists()
    clean(place)
    assert (folder / "upload").exists(), "that of a living server"
    process.send_signal(how)
    process.wait()
    process.stdout.close()
    assert folder.exists() is (how == signal.SIGKILL)
    clean(place)
    assert not list(place.glob(f"{PREFIX}*"))


def test_where_no_folder_can_be_made_is_a_message(tmp_path, monkeypatch, caplog) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(PruneVizError, match="TMPDIR"), Scratch.opened(10**6):
        pass
    assert serving.main([]) == 2
    assert "No folder for uploads can be made" in caplog.text


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "The disk of the server is full."),
        (errno.EROFS, "The disk of the server is read-only."),
        (errno.EDQUOT, "The disk quota of the server is used up."),
        (errno.ENOENT, ""),
        (None, ""),
    ],
)
def test_a_full_disk_is_told_from_other_errors(number, line) -> None:
    assert no_room(OSError(number, "text")) == line
