"""Pins as the browser keeps them: which patches of which picture a person kept or dropped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pruneviz.errors import InputError
from pruneviz.methods import Method, Pinned, stage_counts


@dataclass(frozen=True)
class Pins:
    """Visual tokens kept and dropped by hand.

    Attributes
    ----------
    keep, drop : tuple of int
        Indices from 0.
    extra : int
        Tokens kept beyond the method's budget: those given back.
    picture : str
        Key of the picture they belong to; empty = whichever is asked about.
    """

    keep: tuple[int, ...] = ()
    drop: tuple[int, ...] = ()
    extra: int = 0
    picture: str = ""

    def __bool__(self) -> bool:
        return bool(self.keep or self.drop or self.extra)

    def on(self, method: Method, picture: str) -> Method:
        """The method with the pins, unless they belong to another picture than that key's."""
        if not self or self.picture not in ("", picture):
            return method
        return Pinned(method, self.keep, self.drop, self.extra)


def read_pins(text: Any) -> Pins:
    """Pins from the browser's JSON; nothing is trusted.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not text:
        return Pins()
    try:
        data = json.loads(text)
        pins = Pins(tuple(data["keep"]), tuple(data["drop"]), data["extra"], str(data["picture"]))
        hash(pins)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError("The pins cannot be read. Clear them and set them again.") from error
    return pins


def pins_of(method: Method) -> Pins:
    """The pins that a method runs with."""
    pinned = Pinned.of(method)
    return Pins(tuple(pinned.keep), tuple(pinned.drop), pinned.extra)


def for_canvas(method: Method, picture: str, num_visual: int) -> dict[str, Any]:
    """What the canvas needs to go on from here: the picture's key, the pins, the own budget."""
    pins = pins_of(method)
    own = Pinned.of(method).method
    return {
        "picture": picture,
        "pins": {"keep": list(pins.keep), "drop": list(pins.drop), "extra": pins.extra},
        "budget": stage_counts(own, num_visual)[-1] if num_visual else 0,
    }
