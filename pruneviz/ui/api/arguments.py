"""Arguments of the endpoints, which may be anything that JSON can say."""

from __future__ import annotations

from typing import Any

from pruneviz.errors import InputError

NAMES = {type(None): "null", bool: "true or false", dict: "an object", list: "a list", str: "text"}


def text(value: Any, what: str) -> str:
    """An argument that must be text.

    Raises
    ------
    InputError
        If it is something else, or holds halves of characters.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, not {_kind(value)}.")
    return check_characters(value, what)


def number(value: Any, what: str) -> float:
    """An argument that must be a number; which ones are right, the library says.

    Raises
    ------
    InputError
        If it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = repr(value)[:40] if isinstance(value, str) else _kind(value)
        raise InputError(f"{what} must be a number above 0 and up to 1, not {shown}.")
    return value


def switch(value: Any, what: str) -> bool:
    """An argument that must be true or false.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not isinstance(value, bool):
        raise InputError(f"{what} must be true or false, not {_kind(value)}.")
    return value


def check_characters(value: str, what: str) -> str:
    """Refuse text that cannot be written: JSON can name one half of a character alone."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} holds the half of a character (at {error.start + 1}): type it anew."
        ) from error
    return value


def _kind(value: Any) -> str:
    return NAMES.get(type(value), "a number")
