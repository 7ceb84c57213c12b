"""The Sweep tab's tables: break points, what chance gives, and every value."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pruneviz.engine import Curve, Sweep
from pruneviz.engine.curves import Band, Point
from pruneviz.engine.sweeps import CHANCE
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.fidelity import nats
from pruneviz.ui.shared.numbers import percent
from pruneviz.ui.sweep.wording import VERDICTS, chance, how, no_better


def tables_html(result: Sweep) -> str:
    """Break points, the draws of chance, then all values method by method."""
    drawn = ""
    if result.chance:
        drawn = (
            '<h2 class="pv-h">What chance alone gives</h2>'
            f'<p class="pv-note">{escape(texts.CHANCE_NOTE.format(result.chance[0].draws))}</p>'
            f"{chance_html(result)}"
        )
    return (
        '<section class="pv-sweeptables" aria-label="Values">'
        f'<h2 class="pv-h">Break points</h2><p class="pv-note">{escape(texts.BREAK_NOTE)}</p>'
        f"{breaks_html(result)}{drawn}"
        f'<h2 class="pv-h">All values</h2><p class="pv-note">{escape(texts.VALUES_NOTE)}</p>'
        f"{values_html(result)}</section>"
    )


def breaks_html(result: Sweep) -> str:
    """One row a method: break point, the cost there, chance, and how the search ended."""
    rows = "".join(_break_row(curve, result) for curve in result.curves)
    head = [
        "Method",
        "Break point: from here up, the baseline's answer",
        "Layer average there",
        "FLOPs there",
    ]
    head += ["Against chance"] if result.chance else []
    return _table([*head, "How it was found"], rows, "wide")


def chance_html(result: Sweep) -> str:
    """One row a budget: how many draws give the answer, and how far they lie apart."""
    rows = "".join(_band_row(band, result.num_visual) for band in result.chance)
    head = ("Keep ratio", "Kept", "Same answer", "Log-prob.: lowest", "median", "highest")
    return _table(head, rows, "drawn")


def values_html(result: Sweep) -> str:
    """One row a run; those of the search are marked."""
    head = [
        "Keep ratio",
        "Kept",
        "Layer average",
        "FLOPs",
        "Papers' FLOPs",
        "Log-prob.",
        "KL",
        "KL where they part",
        "Largest KL",
    ]
    head += ["Chance"] if result.chance else []
    head.append("Answer")
    rows = []
    for curve in result.curves:
        note = ""
        if curve.skipped:
            gone = ", ".join(percent(ratio) for ratio in curve.skipped)
            note = f" (no patch would be left at {gone})"
        rows.append(
            f'<tr class="pv-grouprow"><th colspan="{len(head)}" scope="rowgroup">'
            f"{escape(curve.title)}{escape(note)}</th></tr>"
        )
        rows += [_value_row(point, result) for point in curve.points]
    return f'<div class="pv-scroll">{_table(head, "".join(rows), "values")}</div>'


def _value_row(point: Point, result: Sweep) -> str:
    ratio = percent(point.keep_ratio) + (" *" if point.searched else "")
    cells = [
        str(point.kept),
        percent(point.layer_average, result.num_visual),
        percent(point.total_flops_share),
        percent(point.flops_share),
        nats(point.answer_logprob),
        *(_kl(kl) for kl in (point.first_token_kl, point.parting_kl, point.largest_kl)),
    ]
    if result.chance:
        verdict = None if point.method == CHANCE else result.against_chance(point)
        cells.append(VERDICTS[verdict] if verdict else "")
    cells.append("= same" if point.exact_match else f"≠ {point.text or '(empty)'}")
    kind = "pv-holds" if point.exact_match else "pv-fails"
    return f'<tr class="{kind}"><th scope="row">{ratio}</th>{_cells(cells)}</tr>'


def _kl(value: float | None) -> str:
    """Two digits; nothing where there is none, as the answers do not part."""
    if value is None:
        return ""
    return f"{value:.2e}" if value else "0"


def _break_row(curve: Curve, result: Sweep) -> str:
    found, total = curve.break_point, result.num_visual
    name = f'<th scope="row">{escape(curve.title)}</th>'
    against = ""
    if result.chance:
        kind = ' class="pv-fails"' if no_better(curve, result) else ""
        against = f"<td{kind}><span>{escape(chance(curve, result))}</span></td>"
    if found is None:
        return f'<tr>{name}<td colspan="3">not searched</td>{against}<td></td></tr>'
    at = curve.at_break
    average = percent(at.layer_average, total) if at else "100 %"
    work = percent(at.total_flops_share) if at else "100 %"
    return (
        f"<tr>{name}<td>from <b>{found.kept}</b>&nbsp;of&nbsp;{total} "
        f"({percent(found.kept, total)}) up</td>"
        f"<td>{average}</td><td>{work}</td>{against}<td>{escape(how(curve))}</td></tr>"
    )


def _band_row(band: Band, total: int) -> str:
    low, middle, high = (nats(value) for value in band.answer_logprob)
    kept = f"{band.kept} ({percent(band.kept, total)})"
    cells = [kept, f"{band.same} of {band.draws}", low, middle, high]
    return f'<tr><th scope="row">{percent(band.keep_ratio)}</th>{_cells(cells)}</tr>'


def _cells(cells: Sequence[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _table(head: Sequence[str], rows: str, kind: str) -> str:
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    return (
        f'<div class="pv-tablebox"><table class="pv-table pv-{kind}">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
