"""The Sweep tab's tables: break points, and every value."""

from __future__ import annotations

from html import escape

from pruneviz.engine import Curve, Sweep
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.fidelity import nats


def tables_html(result: Sweep) -> str:
    """Break points, then all values method by method."""
    return (
        '<section class="pv-sweeptables" aria-label="Values">'
        f'<h2 class="pv-h">Break points</h2><p class="pv-note">{escape(texts.BREAK_NOTE)}</p>'
        f"{breaks_html(result)}"
        f'<h2 class="pv-h">All values</h2><p class="pv-note">{escape(texts.VALUES_NOTE)}</p>'
        f"{values_html(result)}</section>"
    )


def breaks_html(result: Sweep) -> str:
    """One row a method: break point, the cost there, and how the search ended."""
    rows = "".join(_break_row(curve, result.num_visual) for curve in result.curves)
    return _table(
        ("Method", "Break point", "Layer average there", "How it was found"), rows, "wide"
    )


def values_html(result: Sweep) -> str:
    """One row a run; those of the search are marked."""
    rows = []
    for curve in result.curves:
        note = ""
        if curve.skipped:
            gone = ", ".join(f"{100 * ratio:g} %" for ratio in curve.skipped)
            note = f" (no patch would be left at {gone})"
        rows.append(
            f'<tr class="pv-grouprow"><th colspan="7" scope="rowgroup">{escape(curve.title)}'
            f"{escape(note)}</th></tr>"
        )
        for p in curve.points:
            ratio = f"{100 * p.keep_ratio:.3g} %" + (" *" if p.searched else "")
            answer = "= same" if p.exact_match else f"≠ {p.text or '(empty)'}"
            logprob = nats(p.answer_logprob)
            cells = (
                str(p.kept),
                f"{100 * p.layer_average / result.num_visual:.3g} %",
                f"{100 * p.flops_share:.3g} %",
                logprob,
                f"{p.first_token_kl:.2e}" if p.first_token_kl else "0",
                answer,
            )
            kind = "pv-holds" if p.exact_match else "pv-fails"
            rows.append(
                f'<tr class="{kind}"><th scope="row">{ratio}</th>'
                + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
                + "</tr>"
            )
    head = ("Keep ratio", "Kept", "Layer average", "FLOPs", "Log-prob.", "KL", "Answer")
    return f'<div class="pv-scroll">{_table(head, "".join(rows), "values")}</div>'


def _break_row(curve: Curve, total: int) -> str:
    found, name = curve.break_point, f'<th scope="row">{escape(curve.title)}</th>'
    if found is None:
        return f'<tr>{name}<td colspan="3">not searched</td></tr>'
    at = [p.layer_average for p in curve.points if p.kept == found.kept]
    average = f"{100 * at[0] / total:.3g} %" if at else "100 %"
    return (
        f"<tr>{name}<td><b>{found.kept}</b>&nbsp;of&nbsp;{total} "
        f"({100 * found.kept / total:.3g}&nbsp;%)</td>"
        f"<td>{average}</td><td>{escape(how(curve))}</td></tr>"
    )


def how(curve: Curve) -> str:
    """How the search ended, in words."""
    found = curve.break_point
    if found is None:
        return ""
    if found.fails_at == 0:
        text = "Gives the baseline's answer at every count that was run, down to one patch."
    else:
        text = f"Holds at {found.kept}, fails at {found.fails_at}."
    if not found.resolved:
        text += f" Nothing was run between {found.fails_at} and {found.kept}."
    if found.holds_below:
        some = ", ".join(map(str, found.holds_below))
        text += f" Gives it again at {some}: not monotone here."
    return text


def _table(head: tuple[str, ...], rows: str, kind: str) -> str:
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    return (
        f'<div class="pv-tablebox"><table class="pv-table pv-{kind}">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
