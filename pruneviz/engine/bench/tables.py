"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pruneviz.engine.bench.limits import verdicts
from pruneviz.engine.bench.records import Baseline, Group, Report, Row, Spread

COLUMNS = (
    ("method", ""),
    ("kept", "visual tokens after the last stage"),
    ("layer avg", "visual tokens averaged over the decoder layers"),
    ("ms", "median of the prefill, from pixels and ids to the first logits"),
    ("prefill", "its time, pruned over unpruned in the same round: median (quartiles)"),
    ("FLOPs", "ratio of the true FLOPs, vision encoder and choosing included"),
    ("ideal", "the time ratio of plain forwards of the lengths that the method leaves"),
    ("/ideal", "measured over ideal: 1.00 where choosing and bookkeeping cost nothing"),
    ("token", "time ratio of each further token"),
    ("whole", "time ratio of a whole generate"),
    ("KV", "ratio of the cache's bytes after the prefill"),
    ("peak", "ratio of the peak device memory above the weights"),
)
TEXT = 1
"""Columns of words, which are aligned to the left."""


def as_text(report: Report) -> str:
    """Aligned columns, what they mean, and what they say."""
    lines = list(_heading(report))
    for group in report.groups:
        lines += ["", _above(group), *_aligned(_cells(group)), *_problems(group)]
    lines += ["", *(f"{name:9}  {meaning}" for name, meaning in _explained(report))]
    lines += ["", *verdicts(report)]
    return "\n".join(lines) + "\n"


def as_markdown(report: Report, command: str = "") -> str:
    """Tables for a page, with device and command above."""
    lines = ["  \n".join([*_heading(report), *([f"`{command}`"] if command else [])])]
    for group in report.groups:
        head, *rows = _cells(group)
        rule = ["---"] * TEXT + ["---:"] * (len(head) - TEXT)
        lines += ["", _above(group), ""]
        if rows:
            lines += [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
        lines += ["", *(f"- {problem}" for problem in _problems(group))]
    lines += ["", *(f"- {sentence}" for sentence in verdicts(report))]
    return "\n".join(lines) + "\n"


def _heading(report: Report) -> Sequence[str]:
    return (
        f"{report.model}: {report.layers} decoder layers, {report.length} prompt tokens "
        f"({report.visual} visual), {report.dtype}, {report.attention} attention",
        f"{report.device}; {report.versions}",
        f"{_count(report.rounds, 'round')} after {report.warmup} that do not count; "
        f"{_count(report.tokens, 'answer token')}",
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _above(group: Group) -> str:
    base = group.baseline
    if base is None:
        return f"Batch {group.batch}: without pruning it did not run"
    parts = [f"prefill {_ms(base.prefill)}"]
    if base.vision:
        parts[0] += f" (vision encoder alone {_ms(base.vision)})"
    if base.per_token:
        parts.append(f"{_ms(base.per_token)} a token")
    parts += [f"{_ms(base.whole)} in all", f"KV cache {_size(base.kv_bytes)}", *_peak(base)]
    return f"Batch {group.batch}, unpruned: {', '.join(parts)}"


def _peak(base: Baseline) -> list[str]:
    return [f"peak {_size(base.peak_bytes)} above the weights"] if base.peak_bytes else []


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _cells(group: Group) -> list[list[str]]:
    """Header and the rows that were measured, without columns that are empty in all."""
    rows = [[name for name, _ in COLUMNS], *(_row(row) for row in group.rows if not row.problem)]
    used = [any(row[i] for row in rows[1:]) for i in range(len(COLUMNS))]
    return [[cell for cell, has in zip(row, used, strict=True) if has] for row in rows]


def _problems(group: Group) -> list[str]:
    """What was not measured, and why."""
    return [f"{row.name} is not measured: {row.problem}" for row in group.rows if row.problem]


def _row(row: Row) -> list[str]:
    return [
        row.name,
        str(row.kept),
        f"{row.layer_average:.1f}",
        f"{1000 * row.seconds:.1f}",
        _spread(row.prefill),
        f"{row.flops:.3f}",
        _middle(row.ideal),
        _middle(row.over_ideal),
        _spread(row.per_token),
        _spread(row.whole),
        f"{row.kv_bytes:.3f}",
        "" if row.peak_bytes is None else f"{row.peak_bytes:.3f}",
    ]


def _spread(found: Spread | None) -> str:
    return "" if found is None else f"{found.middle:.2f} ({found.low:.2f} to {found.high:.2f})"


def _middle(found: Spread | None) -> str:
    return "" if found is None else f"{found.middle:.2f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(_padded(row, widths)).rstrip() for row in rows] if rows[1:] else []


def _padded(row: list[str], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if index < TEXT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _explained(report: Report) -> list[tuple[str, str]]:
    shown = {name for group in report.groups for name in _cells(group)[0]}
    return [(name, meaning) for name, meaning in COLUMNS if meaning and name in shown]
