"""The log of an evaluation: a line of JSON a row, only ever added to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from pruneviz.errors import InputError

Row = dict[str, Any]
ROWS = "rows.jsonl"


class Log:
    """Rows by id, in memory and in a file that survives being killed at any moment.

    Open it with :meth:`opened`; one process at a time writes.

    Attributes
    ----------
    path : Path
        The file.
    rows : dict of str to Row
        Of several of one id the last, whatever plan they are from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        self._file: IO[bytes] | None = None

    @classmethod
    @contextmanager
    def opened(cls, folder: str | Path) -> Iterator[Log]:
        """The log of a folder, which is made where there is none.

        Raises
        ------
        InputError
            If another run writes there, or a line other than the last is damaged.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        log = cls(folder / ROWS)
        with log.path.open("ab+") as file:
            _lock(file, folder)
            log._read(file)
            log._file = file
            try:
                yield log
            finally:
                log._file = None

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, flush and sync them: when this returns no crash can lose them."""
        if self._file is None:
            raise ValueError("The log is closed.")
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows |= {row["id"]: dict(row) for row in rows}

    def _read(self, file: IO[bytes]) -> None:
        """Read what is there; a last line that was not written whole is cut off."""
        file.seek(0)
        whole = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            row = _row(line)
            if row is None:
                raise InputError(
                    f"Line {number} of {str(self.path)!r} is damaged. Take it out, and it will be "
                    "asked again, or choose another folder."
                )
            self.rows[row["id"]] = row
            whole += len(line)
        file.truncate(whole)
        file.seek(0, os.SEEK_END)


def read_rows(path: str | Path) -> dict[str, Row]:
    """Rows by id of a log that is not to be written to, a torn last line left out."""
    rows: dict[str, Row] = {}
    with Path(path).open("rb") as file:
        for line in file:
            row = _row(line) if line.endswith(b"\n") else None
            if row is not None:
                rows[row["id"]] = row
    return rows


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("id"), str) else None


def _lock(file: IO[bytes], folder: Path) -> None:
    """Keep other processes out until the file is closed, even by a kill."""
    if find_spec("fcntl") is None:  # Windows
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"Another run writes to {str(folder)!r}. Wait for it or choose another folder."
        ) from error
