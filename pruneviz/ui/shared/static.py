"""Styles and templates: each lies in the folder of the part that it belongs to."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1]


def path_of(name: str) -> Path:
    """Where a file such as ``"ask/view.css"`` lies."""
    return FOLDER / name


def read_static(name: str) -> str:
    """Text of a file."""
    return path_of(name).read_text(encoding="utf-8")
