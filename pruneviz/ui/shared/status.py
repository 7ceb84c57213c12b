"""The line that says what is going on, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

ADVICE = (
    "It answers all the same, but means nothing by it. The model's box above says what it "
    "knows; for real pictures, use a larger model."
)
Kind = Literal["idle", "busy", "done", "stopped", "earlier", "error"]


def status_html(text: str, kind: Kind = "idle", hints: Sequence[str] = ()) -> str:
    """One line; an error is announced at once by screen readers.

    `hints` say why the model may not know the answer; they stand below.
    """
    role = "alert" if kind == "error" else "status"
    title = "<strong>Cannot do that.</strong> " if kind == "error" else ""
    return (
        f'<div class="pv-status pv-{kind}" role="{role}" data-kind="{kind}">'
        f'<span class="pv-dot" aria-hidden="true"></span><p>{title}{escape(text)}</p></div>'
        + _hints(hints)
    )


def _hints(hints: Sequence[str]) -> str:
    if not hints:
        return ""
    text = " ".join((*hints, ADVICE))
    return f'<p class="pv-hint"><strong>Do not trust this answer.</strong> {escape(text)}</p>'
