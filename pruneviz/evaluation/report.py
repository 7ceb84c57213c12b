"""The report: one HTML file that opens without a network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pruneviz.evaluation.drawing import hard_panel, kind_panels, panels
from pruneviz.evaluation.recommending import Recommendation
from pruneviz.evaluation.statistics import Entry
from pruneviz.evaluation.tables import HEAD, cells, independence
from pruneviz.evaluation.wording import percent, points
from pruneviz.render.evidence import Panel, evidence_svg

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #111827; --soft: #4b5563;
  --line: #d1d5db; --mark: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --text: #e5e7eb;
  --soft: #aab0ba; --line: #3b4250; --mark: #20252d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.25rem 1rem 4rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, li { max-width: 48rem; } p.soft, .soft { color: var(--soft); }
.answer { border-left: .3rem solid #d55e00; background: var(--mark); padding: .7rem 1rem;
  font-size: 1.1rem; max-width: 52rem; }
.figures { display: grid; gap: 1.25rem; margin: 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; max-width: 34rem; } figure img { width: 100%; height: auto; display: block; }
figcaption { font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th { vertical-align: bottom; white-space: normal; } td:first-child { white-space: normal;
  min-width: 9rem; } th:first-child, td:first-child { text-align: left; }
tr.pareto td:first-child { font-weight: 600; }
pre { background: var(--mark); padding: .75rem 1rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
KINDS = "<h2>Accuracy by kind of question</h2>"
NOTES = (
    "Accuracy with Wilson's 95 % interval. A seeded method counts each question once, with the "
    "mean over its seeds.",
    "Lost / won: questions that only the unpruned model, and only the pruned one, answers right; "
    "p unpruned: McNemar's exact test of these.",
    "p random: the same against every seed of the random control at the same budget, merged as "
    "twice the mean, which holds however the seeds depend on one another. The tests are not "
    "corrected for how many there are.",
    "Agreement: answers equal to the unpruned ones, letter for letter. Mean share: accuracy over "
    "the unpruned accuracy, averaged over the kinds.",
    "Hard: accuracy on the questions that the downsampled picture at the same budget fails.",
    "Tokens: visual tokens left after the last stage. Layer average: visual tokens per decoder "
    "layer. FLOPs: true ones of the prompt, vision encoder and choosing included, as a share of "
    "the unpruned run's.",
    "* and bold: no other is as accurate at fewer FLOPs, or more accurate at as few (the Pareto "
    "front).",
)


@dataclass(frozen=True)
class Facts:
    """What a report says beside the numbers.

    Attributes
    ----------
    title : str
        What was asked, such as the name of the data.
    model : str
        The model.
    lines : tuple of str
        What else a reader needs to know, a sentence each.
    command : str
        What repeats it.
    problems : tuple of str
        What went wrong, such as errors of rows.
    """

    title: str
    model: str
    lines: tuple[str, ...]
    command: str
    problems: tuple[str, ...] = ()


def report(entries: Sequence[Entry], recommended: Sequence[Recommendation], facts: Facts) -> str:
    """The whole page as HTML: nothing in it is fetched from anywhere."""
    drawn = [*panels(entries), hard_panel(entries)]
    kinds, notes = kind_panels(entries), (*NOTES, independence(recommended))
    parts = [
        f"<h1>How much can be pruned? {escape(facts.title)}</h1>",
        f'<p class="soft">{escape(facts.model)}. {escape(" ".join(facts.lines))}</p>',
        *(f'<p class="answer">{escape(text)}</p>' for text in facts.problems),
        _answer(recommended),
        "<h2>Accuracy against what is spent</h2>",
        _figures([panel for panel in drawn if panel is not None]),
        "<h2>All numbers</h2>",
        _table(entries),
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>",
        *(
            ["<h2>Accuracy by kind of question</h2>", _figures(kinds), _kinds(entries)]
            if kinds
            else []
        ),
        "<h2>Repeat it</h2>",
        f"<pre>{escape(facts.command)}</pre>",
    ]
    return html_page(f"{facts.title}: how much can be pruned", parts)


def html_page(title: str, parts: Sequence[str]) -> str:
    """A page of parts that are HTML already; nothing in it is fetched from anywhere."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def wide_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], best: Sequence[bool] = ()
) -> str:
    """A table of texts that scrolls inside itself; those rows that are best stand out."""
    first = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f"<tr{' class=pareto' if place < len(best) and best[place] else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for place, row in enumerate(rows)
    )
    table = f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{table}</div>'


def _answer(recommended: Sequence[Recommendation]) -> str:
    """The best in large letters, the others below it."""
    if not recommended:
        return '<p class="answer">There are not enough answers to recommend anything.</p>'
    first, *others = (escape(one.sentence) for one in recommended)
    rest = "".join(f"<li>{text}</li>" for text in others)
    allowed = points(recommended[0].tolerance)
    told = f"Smallest budget of each method that loses at most {allowed}, cheapest first."
    listed = f"<p>{told}</p><ul>{rest}</ul>" if others else f"<p>{told}</p>"
    return f'<p class="answer">{first}</p>{listed}'


def _figures(drawn: Sequence[Panel]) -> str:
    figures = []
    for panel in drawn:
        if not panel.curves:
            continue
        light, dark = (_data(evidence_svg(panel, dark)) for dark in (False, True))
        alt = f"Accuracy of {', '.join(curve.name for curve in panel.curves)}: {panel.title}"
        figures.append(
            f"<figure><figcaption>{escape(panel.title)}</figcaption><picture>"
            f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{escape(alt)}"></picture></figure>'
        )
    return f'<div class="figures">{"".join(figures)}</div>'


def _data(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _table(entries: Sequence[Entry]) -> str:
    return wide_table(HEAD, [cells(one) for one in entries], [one.pareto for one in entries])


def _kinds(entries: Sequence[Entry]) -> str:
    names = list(entries[0].by_kind)
    titles = [f"{name} ({entries[0].by_kind[name].questions})" for name in names]
    rows = []
    for one in entries:
        budget = "" if one.method == "none" else percent(one.budget)
        shares = (one.by_kind[name] for name in names)
        values = (f"{100 * share.value:.1f}" if share.questions else "" for share in shares)
        rows.append((one.title, budget, *values))
    return wide_table(("Method", "Budget", *titles), rows)
