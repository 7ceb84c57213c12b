"""What a person has set on the page when something is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pruneviz.ui.shared import methods
from pruneviz.ui.shared.pins import Pins

KEEP_PERCENT = 25.0
"""Keep ratio in percent where nothing else is set."""


@dataclass(frozen=True)
class Question:
    """What is asked, of which picture, and how.

    Attributes
    ----------
    image : str or None
        Path of the picture.
    text : str
        The question.
    method : str
        Registry name.
    keep_percent : float
        Keep ratio in percent.
    max_new_tokens : int
        Longest answer.
    options : dict
        Values of the methods' options.
    pins : Pins
        Patches kept or dropped by hand.
    """

    image: str | None
    text: str
    method: str = methods.DEFAULT
    keep_percent: float = KEEP_PERCENT
    max_new_tokens: int = 48
    options: dict[str, Any] = field(default_factory=dict)
    pins: Pins = field(default_factory=Pins)
