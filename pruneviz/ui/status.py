"""The line that says what is going on, and what went wrong."""

from __future__ import annotations

from html import escape
from typing import Literal

Kind = Literal["idle", "busy", "done", "stopped", "error"]


def status_html(text: str, kind: Kind = "idle") -> str:
    """One line; an error is announced at once by screen readers."""
    role = "alert" if kind == "error" else "status"
    title = "<strong>Cannot do that.</strong> " if kind == "error" else ""
    return (
        f'<div class="pv-status pv-{kind}" role="{role}" data-kind="{kind}">'
        f'<span class="pv-dot" aria-hidden="true"></span><p>{title}{escape(text)}</p></div>'
    )
