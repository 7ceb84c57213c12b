"""Results that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def renewed(folder: Path) -> Iterator[Path]:
    """Fill a new folder, and put it in the place of one when it is complete.

    Parameters
    ----------
    folder : Path
        Whose place it takes. What lies there by other names moves over; an error or Ctrl+C
        before leaves all as it was.

    Yields
    ------
    Path
        An empty folder beside it.
    """
    folder = folder.resolve()
    new, old = (folder.with_name(f".{folder.name}.{sort}") for sort in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        for path in new.iterdir():
            readable(path)
    except BaseException:
        shutil.rmtree(new)
        raise
    if folder.is_dir():
        folder.replace(old)
        for entry in old.iterdir():
            if not (new / entry.name).exists():
                entry.replace(new / entry.name)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def readable(path: Path) -> None:
    """Give a file the permissions that a new one has here: weights are written as private."""
    hidden = os.umask(0)
    os.umask(hidden)
    path.chmod(0o666 & ~hidden)
