"""Numbers as the page writes them, the same everywhere."""

from __future__ import annotations


def percent(part: float, whole: float = 1.0) -> str:
    """A share of a whole: three digits, such as "6.25 %"."""
    return f"{100 * part / whole:.3g} %" if whole else "none"


def signed(text: str) -> str:
    """A number's text with a minus sign in place of the hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")
