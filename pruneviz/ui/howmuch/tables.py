"""The tab's sentences and tables as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pruneviz.evaluation.statistics import Entry
from pruneviz.evaluation.tables import HEAD, cells, independence
from pruneviz.evaluation.wording import percent, points
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.texts import TABLE_NOTE


def answer_html(outcome: Outcome, running: bool) -> str:
    """How much can be pruned: the cheapest first and large, then the others, then doubts."""
    found = outcome.recommended
    if not found:
        return ""
    first, *others = (escape(one.sentence) for one in found)
    so_far = f"After {outcome.questions:,} questions so far. " if running else ""
    allowed = points(outcome.asked.tolerance)
    told = f"{so_far}Smallest budget of each method that loses at most {allowed}, cheapest first."
    rest = "".join(f"<li>{text}</li>" for text in others)
    doubts = "".join(f"<p>{escape(text)}</p>" for text in outcome.problems)
    return (
        '<section class="pv-muchanswer" aria-label="How much can be pruned">'
        f'<h2 class="pv-h">How much can be pruned?</h2><p class="pv-note">{told}</p>'
        f'<p class="pv-muchmain">{first}</p>'
        + (f'<div class="pv-doubts">{doubts}</div>' if doubts else "")
        + (f"<details><summary>The other {len(others)}</summary><ul>{rest}</ul></details>"
           if others else "")
        + "</section>"
    )  # fmt: skip


def tables_html(outcome: Outcome) -> str:
    """Every number of the plot, and accuracy by kind."""
    entries = outcome.entries
    kinds = list(entries[0].by_kind)
    by_kind = (
        f"<details><summary>Accuracy by kind of question</summary>{kinds_html(entries)}</details>"
        if kinds
        else ""
    )
    note = f"{TABLE_NOTE} {independence(outcome.recommended)}"
    return (
        '<section class="pv-evidence" aria-label="All numbers"><h2 class="pv-h">All numbers</h2>'
        f'<p class="pv-note">{escape(note)}</p>{numbers_html(entries)}{by_kind}</section>'
    )


def numbers_html(entries: Sequence[Entry]) -> str:
    """A line for every method at every budget, as ``table.md`` has it."""
    rows = []
    for one in entries:
        first, *others = cells(one)
        row = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        kind = ' class="pv-pareto"' if one.pareto else ""
        rows.append(f'<tr{kind}><th scope="row">{escape(first)}</th>{row}</tr>')
    return _table(HEAD, rows)


def kinds_html(entries: Sequence[Entry]) -> str:
    """Right answers in percent, a column a kind."""
    names = list(entries[0].by_kind)
    titles = [f"{name} ({entries[0].by_kind[name].questions:,})" for name in names]
    rows = []
    for one in entries:
        budget = "" if one.method == entries[0].method else percent(one.budget)
        shares = (one.by_kind[name] for name in names)
        values = (f"{100 * share.value:.1f}" if share.questions else "" for share in shares)
        row = "".join(f"<td>{escape(cell)}</td>" for cell in (budget, *values))
        rows.append(f'<tr><th scope="row">{escape(one.title)}</th>{row}</tr>')
    return _table(("Method", "Budget", *titles), rows)


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        '<div class="pv-scroll pv-evidencebox" tabindex="0" role="region" aria-label="Table">'
        f'<table class="pv-table"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
