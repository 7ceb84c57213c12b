"""Where the questions of an evaluation come from, as it is written on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError
from pruneviz.evaluation.builtin import SETS, scene_cases
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.files import file_cases, folder_cases
from pruneviz.evaluation.scoring import AUTO


def load_cases(data: str, questions: Sequence[str] = (), scoring: str = AUTO) -> list[Case]:
    """The questions that a text names.

    Parameters
    ----------
    data : str
        ``scenes:N[:SEED]`` or ``small:N[:SEED]`` (built in), a JSON-lines or CSV file, or a folder
        of pictures.
    questions : sequence of str
        What to ask of each picture of a folder.
    scoring : str
        How answers to a file's questions are scored; built-in ones by the exact answer.

    Raises
    ------
    InputError
        If it names nothing that can be used; the message says why.
    """
    name, sign, rest = data.partition(":")
    built_in, path = bool(sign) and name in SETS, Path(data).expanduser()
    if questions and (built_in or not path.is_dir()):
        raise InputError("--question goes with a folder of pictures.")
    if scoring != AUTO and (built_in or path.is_dir()):
        raise InputError("--scoring goes with a file of questions.")
    if built_in:
        return scene_cases(name, **_numbers(data, rest))
    if path.is_dir():
        return folder_cases(path, questions)
    if path.exists():
        return file_cases(path, scoring)
    forms = ", ".join(f"{name}:N[:SEED]" for name in SETS)
    raise InputError(f"There is no {data!r}. Give {forms}, a JSONL or CSV file, or a folder.")


def _numbers(data: str, text: str) -> dict[str, Any]:
    try:
        numbers = [int(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise InputError(f"{data!r} must be such as scenes:200 or scenes:200:7 (questions, seed).")
    return dict(zip(("count", "seed"), numbers, strict=False))
