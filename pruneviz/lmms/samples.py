"""Single questions of a run of lmms-eval, as it logs them beside its results."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError


@dataclass(frozen=True)
class Sample:
    """A question and what its answer is worth.

    Attributes
    ----------
    prompt : str
        Its words.
    scores : dict of str to float
        By metric.
    """

    prompt: str
    scores: dict[str, float]


def samples_of(path: Path) -> dict[str, Sample]:
    """By document; empty where the run logged none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if not path.exists():
        return {}
    found: dict[str, Sample] = {}
    # Not splitlines: lmms-eval writes other line separators as they are, inside of texts.
    for line in filter(str.strip, text_of(path).split("\n")):
        sample = parsed(line, path)
        one = Sample(str(sample.get("input", "")), _numbers(sample))
        # A task with several filters logs a document for each; the first is that of its score.
        found.setdefault(str(sample.get("doc_id")), one)
    return found


def _numbers(sample: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a document: numbers, or records with a score."""
    scored = {
        name: value.get("score") if isinstance(value, Mapping) else value
        for name, value in sample.items()
    }
    return {
        name: float(value)
        for name, value in scored.items()
        if isinstance(value, int | float) and name != "doc_id" and math.isfinite(value)
    }


def text_of(path: Path) -> str:
    """All of a file; raises InputError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error


def parsed(text: str, path: Path) -> Mapping[str, Any]:
    """A JSON object of a file; raises InputError where it is none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is damaged: {error}.") from error
    if not isinstance(found, Mapping):
        raise InputError(f"{path} is no results file of lmms-eval.")
    return found
