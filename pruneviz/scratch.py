"""The folder of a server's uploads and results: bounded, and gone when the server is.

Gradio can delete old files, too, but for good ends to do so on the first error, such as that of a
disk that was read-only for a while.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from pruneviz.errors import PruneVizError

PREFIX, LOCK = "pruneviz-serve-", "lock"
PLACE = "GRADIO_TEMP_DIR"
AGE = 3600.0
"""Seconds that uploads and results are kept."""
EVERY = 10.0
"""Seconds between two looks at what lies there."""
REASONS = {
    errno.ENOSPC: "The disk of the server is full.",
    errno.EDQUOT: "The disk quota of the server is used up.",
    errno.EFBIG: "The file is larger than the server may write.",
    errno.EROFS: "The disk of the server is read-only.",
}


NOT_WRITABLE = "The server may not write to its folder of uploads."


def no_room(error: OSError) -> str:
    """Why something could not be written, in a line; empty where that is not the disk's fault."""
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        # Elsewhere it may be something to be read, such as a model's folder.
        own = (os.environ.get(PLACE), tempfile.gettempdir())
        if any(one and Path(error.filename).is_relative_to(one) for one in own):
            return NOT_WRITABLE
    return REASONS.get(error.errno or 0, "")


def told(error: OSError) -> str:
    """The same, or else what the system says, without the path, which is nobody's business."""
    return no_room(error) or error.strerror or str(error)


class Scratch:
    """A folder for uploads and results; open it with :meth:`opened`.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    served : Path
        Gradio's part of it: uploads, and copies of what may be downloaded.
    limit : int
        Bytes that may lie there for an hour at most; what is oldest goes first.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._trimming = threading.Lock()
        self._kept: frozenset[Path] = frozenset()
        # Not one in the other: what lies below its own part Gradio serves without a copy.
        self.served, self._own = folder / "served", folder / "tmp"

    @classmethod
    @contextmanager
    def opened(cls, limit: int) -> Iterator[Scratch]:
        """Make a folder and let Gradio and this process's temporary files use it.

        What servers left that were killed is deleted first.

        Raises
        ------
        PruneVizError
            If it cannot be made.
        """
        parent = Path(os.environ.get(PLACE) or tempfile.gettempdir())
        before, place = tempfile.tempdir, os.environ.get(PLACE)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            clean(parent)
            scratch = cls(Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)), limit)
            lock = (scratch.folder / LOCK).open("wb")
            scratch._make()
        except OSError as error:
            raise PruneVizError(
                f"No folder for uploads can be made in {str(parent)!r}: {error.strerror}. Free "
                "some space there, or name another folder in the variable TMPDIR."
            ) from error
        over = threading.Event()
        with lock:
            _locked(lock)
            os.environ[PLACE] = str(scratch.served)
            tempfile.tempdir = str(scratch._own)
            threading.Thread(target=scratch._watch, args=(over,), daemon=True).start()
            try:
                yield scratch
            finally:
                over.set()
                tempfile.tempdir = before
                os.environ.pop(PLACE)
                if place is not None:
                    os.environ[PLACE] = place
                shutil.rmtree(scratch.folder, ignore_errors=True)

    def keep(self) -> None:
        """Never delete what lies there now: the page's own files."""
        self._kept = frozenset(path for _, _, path in self._files())

    def trim(self) -> None:
        """Delete what is too old, and what is oldest until no more lies there than may."""
        with self._trimming:
            found = sorted((one for one in self._files() if one[2] not in self._kept), reverse=True)
            total, old = sum(size for _, size, _ in found), time.time() - AGE
            while found and (total > self.limit or found[-1][0] < old):
                _, size, path = found.pop()
                with suppress(OSError):
                    path.unlink()
                    if not any(path.parent.iterdir()) and path.parent.parent == self.served:
                        path.parent.rmdir()  # one of an upload of its own
                total -= size

    def drop_parts(self, since: float = math.inf) -> None:
        """Delete what Gradio leaves of uploads that failed.

        Parameters
        ----------
        since : float
            Seconds of the clock from which on somebody uploads: what was written later may be
            that. By default nobody does.
        """
        with suppress(OSError), os.scandir(self.served) as entries:
            for entry in entries:
                # One that is whole lies in a folder of its own.
                part = entry.name.startswith(tempfile.gettempprefix()) and entry.is_file()
                if part and entry.stat().st_mtime < since:
                    os.truncate(entry, 0)  # it may still be open, which keeps its room
                    os.unlink(entry)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was written, its bytes and where it is."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder) / name
                with suppress(OSError):
                    about = path.lstat()
                    if path != self.folder / LOCK:
                        yield about.st_mtime, about.st_size, path

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(EVERY):
            with suppress(OSError):  # what looks after /tmp may take it for forgotten
                self._make()
            self.trim()

    def _make(self) -> None:
        for part in (self.served, self._own):
            part.mkdir(parents=True, exist_ok=True)


def clean(parent: Path) -> None:
    """Delete the folders of servers that are no more."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open("rb") as lock:
            if _locked(lock):
                shutil.rmtree(folder, ignore_errors=True)


def _locked(file: IO[bytes]) -> bool:
    """Hold a file until it is closed, even by a kill; False where another process holds it."""
    if find_spec("fcntl") is None:  # Windows
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
