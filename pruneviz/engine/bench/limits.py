"""What the figures say of the machine, in sentences."""

from __future__ import annotations

from pruneviz.engine.bench.records import Baseline, Report, Row

LAUNCHES, ARITHMETIC = 1 / 3, 2 / 3
"""Bounds between what limits a machine, as shares of the growth that arithmetic would give."""
ROUNDS = 5
"""Fewer tell nothing of which of two close times is the shorter."""
SLACK = 0.1
"""How far half a prompt's time may lie outside of what FLOPs and fixed costs allow."""


def verdicts(report: Report) -> list[str]:
    """What limits this machine for this model, and from which batch on pruning pays there."""
    said = [
        _limited(group.batch, group.baseline)
        for group in report.groups
        if group.baseline is not None and group.baseline.half_length
    ]
    if report.rounds < ROUNDS:
        few = f"{report.rounds} round{'s'[: report.rounds > 1]}"
        return [*said, f"Whether a method pays cannot be told from {few}: take --pairs 10 or more."]
    paying = _paying(report)
    meaning = [
        "A method pays where at least three of four prefills were faster than unpruned, and does "
        "not where at least three of four were slower."
    ]
    return [*said, *(meaning if paying else []), *paying]


def follows(base: Baseline) -> float:
    """How far time follows arithmetic: 1 where all of it does, 0 where none does.

    From half of the prompt to all of it the time grows by this share of what the FLOPs grow by.
    """
    grown, expected = 1 / base.half_length - 1, 1 / base.half_flops - 1
    return min(1.0, max(0.0, grown / expected))


def _limited(batch: int, base: Baseline) -> str:
    took = (
        f"Batch {batch}: the decoder takes {base.half_length:.2f} of its time on half of the prompt"
    )
    if not base.half_flops - SLACK <= base.half_length <= 1 + SLACK:
        return f"{took}: the machine is too busy with other things to say what limits it."
    share = follows(base)
    if share < LAUNCHES:
        cause = (
            "launches and other fixed costs limit this machine here, not arithmetic: fewer tokens "
            "can hardly save time"
        )
    elif share > ARITHMETIC:
        cause = "arithmetic limits this machine here: time can follow the tokens that are left"
    else:
        cause = "both launches and arithmetic count here: time follows the tokens in part"
    return f"{took}, which has {base.half_flops:.2f} of the FLOPs; {cause}."


def _paying(report: Report) -> list[str]:
    """One sentence for every method and budget."""
    found: dict[str, list[tuple[int, Row]]] = {}
    for group in report.groups:
        for row in group.rows:
            if not row.problem and row.layer_average < report.visual:
                found.setdefault(row.name, []).append((group.batch, row))
    return [_pays(name, sorted(rows, key=lambda one: one[0])) for name, rows in found.items()]


def _pays(name: str, rows: list[tuple[int, Row]]) -> str:
    """From which of the measured batch sizes on, all larger ones included, a method pays."""
    paying: list[tuple[int, Row]] = []
    for batch, row in reversed(rows):
        if not pays(row):
            break
        paying.append((batch, row))
    sizes = ", ".join(str(batch) for batch, _ in rows)
    if not paying:
        took, batch, row = min((_took(row), batch, row) for batch, row in rows)
        best = f" at batch {batch}" if len(rows) > 1 else ""
        if row.prefill is not None and row.prefill.low < 1:
            between = f"{row.prefill.low:.2f} to {row.prefill.high:.2f}"
            return (
                f"{name} at batch {sizes}: too close to tell, half of the rounds{best} {between}."
            )
        return (
            f"{name} does not pay at batch {sizes}: it takes {took:.2f} of the unpruned prefill"
            f"{best}."
        )
    batch, row = paying[-1]
    where = f"at batch {batch}" if len(rows) == 1 else f"from batch {batch} on, of {sizes}"
    return f"{name} pays {where}: it takes {_took(row):.2f} of the unpruned prefill."


def _took(row: Row) -> float:
    return row.prefill.middle if row.prefill else float("inf")


def pays(row: Row) -> bool:
    """Whether a prefill was faster pruned in at least three of four rounds."""
    return row.prefill is not None and row.prefill.high < 1
