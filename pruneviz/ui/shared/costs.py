"""The cost of both runs, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from pruneviz.engine import Answer, Comparison
from pruneviz.engine.bench import Report, Spread
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.numbers import percent
from pruneviz.ui.shared.staircase import staircase_svg


@dataclass(frozen=True)
class Line:
    """One line of the table: what it is, both values as text, and pruned over baseline.

    `spread` are the quartiles of a measured share.
    """

    label: str
    hint: str
    baseline: str
    pruned: str
    ratio: float | None
    spread: Spread | None = None


def cost_lines(done: Comparison, timing: Report | None = None) -> list[tuple[str, list[Line]]]:
    """The table's groups and lines, as plain values; times only where they were paired."""
    a, b = done.baseline.cost, done.pruned.cost
    groups = [
        (
            "Visual tokens",
            [
                _line("After the last stage", "final", a.final_tokens, b.final_tokens, count),
                _line("Average per layer", "average", a.layer_average, b.layer_average, count),
            ],
        ),
        (
            "Computed work and memory",
            [
                _line("FLOPs as the papers count", "paper", *_tera(done), flops),
                _line("True FLOPs, language model", "llm", a.llm_flops, b.llm_flops, flops),
                _line(
                    "True FLOPs, vision encoder", "vision", a.vision_flops, b.vision_flops, flops
                ),
                _line("True FLOPs, choosing", "choosing", a.scoring_flops, b.scoring_flops, flops),
                _line("True FLOPs, all of it", "total", a.total_flops, b.total_flops, flops),
                _line("KV cache after the prompt", "kv", a.kv_bytes, b.kv_bytes, size),
            ],
        ),
    ]
    return [*groups, ("Measured time", _timed(timing))] if timing else groups


def _timed(timing: Report) -> list[Line]:
    return [
        Line(
            pair.name.capitalize(),
            texts.COST_HINTS[f"t_{pair.key}"],
            seconds(pair.seconds[0]),
            seconds(pair.seconds[1]),
            pair.ratio.middle,
            pair.ratio,
        )
        for pair in timing.pairs()
    ]


def summary(done: Comparison) -> list[tuple[str, str, str]]:
    """What is left of the baseline's work: number (or nothing), what it counts, its share."""
    a, b = done.baseline.cost, done.pruned.cost
    total = done.grid.num_tokens
    # Some methods keep the encoder's summary as well, which is a token and no patch.
    kept = "patches" if b.final_tokens == len(done.pruned.trace.kept) else "tokens"
    return [
        (f"{b.final_tokens} of {total}", f"{kept} kept", percent(b.final_tokens, total)),
        (
            count(round(b.layer_average, 1)),
            "a layer on average",
            percent(b.layer_average, total),
        ),
        ("", "FLOPs", percent(b.total_flops, a.total_flops)),
        ("", "KV cache", percent(b.kv_bytes, a.kv_bytes)),
    ]


def summary_html(done: Comparison) -> str:
    """The same in a line."""
    items = "".join(
        f"<li>{f'<b>{escape(number)}</b> ' if number else ''}{escape(name)} <b>{share}</b></li>"
        for number, name, share in summary(done)
    )
    return f'<ul class="pv-costline" aria-label="Cost in short">{items}</ul>'


def cost_html(done: Comparison, small: bool, timing: Report | None = None) -> str:
    """The table, the staircase of visual tokens per layer, and what to think of the times."""
    rows = "".join(
        f'<tr class="pv-grouprow"><th colspan="4" scope="rowgroup">{escape(group)}</th></tr>'
        + "".join(_row(line) for line in lines)
        for group, lines in cost_lines(done, timing)
    )
    notes = [texts.COST_NOTE]
    if timing is not None:
        notes.append(texts.TIME_NOTE.format(timing.rounds, timing.device))
        notes += [texts.SMALL_MODEL_NOTE] if small else []
    return (
        '<section class="pv-cost" aria-label="Cost"><h2 class="pv-h">What it costs</h2>'
        '<div class="pv-costcols"><div class="pv-tablebox"><table class="pv-table"><thead><tr>'
        '<th scope="col"><span class="pv-hidden">Quantity</span></th><th scope="col">Baseline</th>'
        f'<th scope="col">{escape(done.pruned.label)}</th><th scope="col">Share</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<div class="pv-stairbox"><h3>Visual tokens in each layer</h3>{_stairs(done)}'
        f'<p class="pv-note">{escape(" ".join(notes))}</p></div></div></section>'
    )


def count(value: float) -> str:
    """A number of tokens."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def flops(value: float) -> str:
    """FLOPs with a decimal prefix."""
    for factor, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Bytes with a binary prefix."""
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def seconds(value: float) -> str:
    """A time, in milliseconds below one second."""
    if value <= 0:
        return "none"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _tera(done: Comparison) -> tuple[float, float]:
    return done.baseline.cost.paper_tflops * 1e12, done.pruned.cost.paper_tflops * 1e12


def _line(label: str, hint: str, a: float, b: float, show: Callable[[float], str]) -> Line:
    return Line(label, texts.COST_HINTS[hint], show(a), show(b), b / a if a else None)


def _row(line: Line) -> str:
    share = '<td class="pv-share"></td>'
    if line.ratio is not None:
        width = min(100.0, 100 * line.ratio)
        share = (
            f'<td class="pv-share"><span class="pv-meter" aria-hidden="true">'
            f'<span style="width:{width:.1f}%"></span></span>'
            f'<span class="pv-percent">{100 * line.ratio:.3g} %</span>'
            f"{_range(line.spread)}</td>"
        )
    return (
        f'<tr><th scope="row">{escape(line.label)}<small>{escape(line.hint)}</small></th>'
        f"<td>{line.baseline}</td><td>{line.pruned}</td>{share}</tr>"
    )


def _range(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"<small>{100 * spread.low:.3g} to {100 * spread.high:.3g} %</small>"


def _stairs(done: Comparison) -> str:
    def steps(answer: Answer) -> tuple[int, ...]:
        return answer.cost.tokens_per_layer

    return staircase_svg(steps(done.baseline), steps(done.pruned), done.pruned.label)
