"""What a part of the page that the canvas draws is told as it is worked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Drawn:
    """New content of the part; None leaves something as it is.

    Attributes
    ----------
    line : str or None
        Status line of HTML.
    data : dict or None
        What the browser draws.
    """

    line: str | None = None
    data: dict[str, Any] | None = None
