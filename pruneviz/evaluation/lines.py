"""The lines of a file of questions, before it is known what they ask."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError

FIELDS = ("image", "image_base64", "question", "answer", "answers", "kind", "id", "choices")
WIDE = (b"\xff\xfe", b"\xfe\xff")
"""What a file in UTF-16 begins with."""
PARTS = {";": "semicolons", "\t": "tabs"}
"""What parts cells in files that are called CSV all the same."""


def lines_of(path: Path) -> Iterator[tuple[int, Any]]:
    """Line numbers from 1, and what each line says; an InputError in place of what cannot be read.

    Raises InputError where the file cannot be read at all.
    """
    split = SUFFIXES.get(path.suffix.lower())
    if split is None:
        raise InputError(f"{path.name!r} must end in {', '.join(SUFFIXES)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The file {str(path)!r} cannot be read: {error.strerror}.") from error
    return split(_decoded(data, path.name))


def _decoded(data: bytes, name: str) -> str:
    wide = data.startswith(WIDE) or b"\0" in data
    try:
        if not wide:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name!r} cannot be read as UTF-8 text: line {line} is in another encoding, such as "
            "Latin-1. Save the file as UTF-8."
        ) from error
    raise InputError(f"{name!r} cannot be read as UTF-8 text: it is UTF-16. Save it as UTF-8.")


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    # Not splitlines(): JSON strings may hold the other characters that end a line for it.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                yield number, InputError(f"is no JSON ({error.msg} at character {error.pos + 1})")


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    """The rows under a header; a row's number is that of its last line."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = [name.strip() for name in row]
                if wrong := _wrong_header(header):
                    # Every row would say the same again.
                    yield reader.line_num, InputError(wrong)
                    return
            elif len(row) != len(header):
                told = f"has {len(row)} cells, but the header {len(header)}"
                yield reader.line_num, InputError(told)
            else:
                cells = zip(header, row, strict=True)
                yield reader.line_num, {name: cell for name, cell in cells if cell.strip()}
    except csv.Error as error:
        yield reader.line_num, InputError(f"is no CSV ({error})")


def _wrong_header(names: Sequence[str]) -> str:
    """What is wrong with the first row of a CSV file; empty if nothing is."""
    for sign, called in PARTS.items():
        if len(names) == 1 and sign in names[0]:
            return f"is a header parted by {called}; part the cells by commas"
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        return f"is a header that names {twice[0]!r} more than once"
    unknown = [name for name in names if name and name not in FIELDS]
    if unknown:
        small = all(name.lower() in FIELDS for name in unknown)
        hint = "; write them in small letters" if small else ""
        known = ", ".join(FIELDS)
        return f"is a header with unknown fields: {', '.join(unknown)}; known: {known}{hint}"
    if "question" not in names or not {"image", "image_base64"} & set(names):
        return "is a header that lacks question, or image (or image_base64)"
    return ""


SUFFIXES: dict[str, Callable[[str], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
}
