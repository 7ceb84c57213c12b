"""Questions from a person's own file (JSON lines or CSV) or about a folder of pictures."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pruneviz.engine import read_image, tidied
from pruneviz.engine.images import extensions, open_picture
from pruneviz.errors import InputError
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.lines import FIELDS, lines_of
from pruneviz.evaluation.pictures import BytesPicture, FilePicture, Picture
from pruneviz.evaluation.scoring import AUTO, Truth, rule_for

LISTS = ("answers", "choices")
BETWEEN = "|"
"""What stands between the entries of a list in a cell of a CSV file."""


MOST_TOLD = 50
"""Problems of a file that a message lists."""
LONGEST = 300
"""Characters of one of them."""


class DataError(InputError):
    """A file of questions with lines that cannot be used; the message lists the first `most`.

    Attributes
    ----------
    heading : str
        How many, and of which file.
    problems : tuple of str
        What is wrong with each.
    """

    def __init__(self, heading: str, problems: Sequence[str], most: int = MOST_TOLD) -> None:
        self.heading, self.problems = heading, tuple(problems)
        more = len(self.problems) - most
        shown = [
            text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"
            for text in self.problems[:most]
        ]
        rest = [f"and {more:,} more."] if more > 0 else []
        super().__init__("\n".join([heading, *shown, *rest]))


def file_cases(path: Path, scoring: str = AUTO, inside: bool = False) -> list[Case]:
    """Questions of a JSON-lines or CSV file.

    Parameters
    ----------
    path : Path
        Each line, or row under a header, has ``question`` and ``image`` (a path relative to the
        file) or ``image_base64``; it may have ``answer``, or ``answers`` of which any is right,
        ``choices``, ``kind`` and ``id``. In CSV the entries of a list are parted by ``|``.
    scoring : str
        See :func:`~pruneviz.evaluation.scoring.rule_for`.
    inside : bool
        Whether pictures must lie in the file's folder, for files that others hand in.

    Raises
    ------
    DataError
        If lines cannot be used; the message says what is wrong with the first of them. A line that
        asks what another asks, with the same answers, is one of these.
    InputError
        If the file cannot be read or holds no question.
    """
    reader = _Reader(path.resolve().parent, scoring, inside)
    cases = [reader.case(line, found) for line, found in lines_of(path)]
    if reader.problems:
        many = len(reader.problems)
        heading = f"{path.name}: {many:,} line{'s'[: many > 1]} cannot be used."
        raise DataError(heading, reader.problems)
    kept = [case for case in cases if case is not None]
    if not kept:
        raise InputError(f"{path.name} holds no question.")
    return kept


def folder_cases(folder: Path, questions: Sequence[str]) -> list[Case]:
    """The same questions asked of every picture in a folder; scored by agreement.

    Each question is a kind of its own. Raises InputError where there is no picture or question.
    """
    asked = [tidied(question) for question in questions]
    if not asked or not all(asked):
        raise InputError('Say what to ask of each picture in the folder: --question "...".')
    known = extensions()
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in known)
    if not paths:
        raise InputError(f"There is no picture in the folder {str(folder)!r}.")
    problems = [f"{path.name}: {told}" for path in paths if (told := _unreadable(path))]
    if problems:
        raise DataError(f"{folder.name}: some pictures cannot be used.", problems)
    return [
        Case(
            name=f"{path.name} {number}" if len(asked) > 1 else path.name,
            picture=FilePicture(path, path.name),
            question=question,
            truth=Truth(),
            kind=question if len(asked) > 1 else "",
            rule=rule_for(AUTO, Truth()),
        )
        for path in paths
        for number, question in enumerate(asked, 1)
    ]


class _Reader:
    """Makes cases of records and notes what is wrong with the others."""

    def __init__(self, folder: Path, scoring: str, inside: bool) -> None:
        self._folder, self._scoring, self._inside = folder, scoring, inside
        self._names: dict[str, int] = {}
        self._lines: dict[Any, int] = {}
        self._digests: dict[Path, str] = {}
        self._unreadable: dict[Path, str] = {}
        self.problems: list[str] = []

    def case(self, line: int, record: Any) -> Case | None:
        """The case of a line; None where it cannot be used."""
        try:
            return self._case(line, record)
        except InputError as error:
            self.problems.append(f"line {line}: {error}")
            return None

    def _case(self, line: int, record: Any) -> Case:
        if isinstance(record, InputError):
            raise record
        if not isinstance(record, Mapping):
            raise InputError('is no object such as {"image": ..., "question": ...}')
        unknown = [str(name) for name in record if name not in FIELDS]
        if unknown:
            raise InputError(
                f"has unknown fields: {', '.join(unknown)}; known: {', '.join(FIELDS)}"
            )
        question = tidied(_text(record, "question"))
        if not question:
            raise InputError("has no question")
        truth = Truth(_answers(record), _list(record, "choices"))
        name = _text(record, "id") or str(line)
        if name in self._names:
            raise InputError(f"has the id {name!r} of line {self._names[name]}")
        self._names[name] = line
        picture = self._picture(record, name)
        self._check_new(line, picture, question, truth)
        return Case(
            name=name,
            picture=picture,
            question=question,
            truth=truth,
            kind=_text(record, "kind"),
            rule=rule_for(self._scoring, truth),
        )

    def _check_new(self, line: int, picture: Picture, question: str, truth: Truth) -> None:
        """A line that says what another did would count twice."""
        if isinstance(picture, FilePicture):
            if picture.path not in self._digests:
                self._digests[picture.path] = picture.digest()
            digest = self._digests[picture.path]
        else:
            digest = picture.digest()
        key = digest, question, frozenset(truth.answers), truth.choices
        first = self._lines.setdefault(key, line)
        if first != line:
            raise InputError(
                f"asks what line {first} asks: the same picture, question and answers; remove it"
            )

    def _picture(self, record: Mapping[str, Any], name: str) -> Picture:
        path, encoded = _text(record, "image"), _text(record, "image_base64")
        if bool(path) == bool(encoded):
            raise InputError("needs either image (a path) or image_base64")
        if encoded:
            return _decoded(encoded, name)
        if "://" in path or path.startswith("data:"):
            raise InputError("names its image by a URL; nothing is fetched: save it as a file")
        whole = self._folder / path
        if self._inside and not whole.resolve().is_relative_to(self._folder):
            raise InputError(f"names an image outside of the folder: {path!r}")
        if whole not in self._unreadable:
            self._unreadable[whole] = _unreadable(whole)
        if told := self._unreadable[whole]:
            raise InputError(f"{told}: {path!r}")
        return FilePicture(whole, path)


def _decoded(text: str, name: str) -> BytesPicture:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"image_base64 is no Base64 ({error})") from error
    try:
        read_image(data)
    except InputError as error:
        raise InputError(f"image_base64 cannot be used: {error}") from error
    return BytesPicture(data, f"{name} (bytes)")


def _unreadable(path: Path) -> str:
    """Why a file is no picture, as far as tells without decoding it; empty if it is one."""
    if not path.is_file():
        return "there is no such image"
    try:
        with open_picture(path) as image:
            image.verify()
        return ""
    except InputError as error:
        return str(error)[0].lower() + str(error)[1:].rstrip(".")
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        return f"the image is damaged or incomplete ({error})"


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{name} must be text, not {json.dumps(value)[:60]}")
    return str(value).strip()


def _list(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = record.get(name)
    if value is None:
        return ()
    entries = value.split(BETWEEN) if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise InputError(f"{name} must be a list")
    texts = tuple(_text({name: entry}, name) for entry in entries)
    if not texts or not all(texts):
        raise InputError(f"{name} must be a list of texts, none of them empty")
    return texts


def _answers(record: Mapping[str, Any]) -> tuple[str, ...]:
    single, several = _text(record, "answer"), _list(record, "answers")
    if single and several:
        raise InputError("has both answer and answers; give one of them")
    return (single,) if single else several
