"""Run a sweep and describe, step by step, what the Sweep tab shows. Knows no Gradio."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from pruneviz.engine import RATIOS, Prepared, Session, Sweep, sweep
from pruneviz.engine.sweeps import check_ratios
from pruneviz.errors import InputError
from pruneviz.exports import swept
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.encoding import REFRESH, beginning, encode
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.runs import Run, read_methods
from pruneviz.ui.shared.status import status_html
from pruneviz.ui.sweep.tables import tables_html
from pruneviz.ui.sweep.wording import no_better, point_lines, summary

DEFAULT_RATIOS = ", ".join(f"{100 * ratio:g}" for ratio in RATIOS)


@dataclass(frozen=True)
class SweepWanted:
    """What a person has set: picture, question, registry names, keep ratios as typed."""

    image: str | None
    text: str
    methods: Sequence[str]
    ratios: str = DEFAULT_RATIOS


@dataclass(frozen=True)
class SweepScreen:
    """New content of the tab's outputs; None leaves one as it is."""

    status: str | None = None
    plot: dict[str, Any] | None = None
    tables: str | None = None
    run: Run | None = None


def run_sweep(session: Session, wanted: SweepWanted) -> Generator[SweepScreen]:
    """Run the sweep, as a stream of screens; closing the generator stops the run."""
    yield from guarded(_sweep(session, wanted), SweepScreen)


def _sweep(session: Session, wanted: SweepWanted) -> Iterator[SweepScreen]:
    yield SweepScreen(status=beginning(session))
    ratios = read_ratios(wanted.ratios)
    prepared = encode(session, wanted.image, wanted.text)
    shown = 0.0
    with closing(sweep(session, prepared, wanted.methods or [], ratios)) as events:
        for event in events:
            line = f"Run {min(event.done + 1, event.total)} of {event.total}: {event.text} …"
            if event.kind == "done" and event.result is not None:
                told = summary(event.result, event.done)
                verdict = status_html(told, "done", prepared.hints)
                run = remembered(session, prepared, wanted, ratios, event.result)
                yield SweepScreen(verdict, plot(event.result), tables_html(event.result), run)
            elif event.result is not None:
                yield SweepScreen(status_html(line, "busy"), plot(event.result))
            elif time.monotonic() - shown > REFRESH:
                shown = time.monotonic()
                yield SweepScreen(status=status_html(line, "busy"))


def remembered(
    session: Session,
    prepared: Prepared,
    wanted: SweepWanted,
    ratios: Sequence[float],
    result: Sweep,
) -> Run:
    """The result with what a link and a command need to have it again."""
    names = [curve.name for curve in result.curves]
    arguments = [word for name in names for word in ("--method", name)]
    arguments += [word for ratio in ratios for word in ("--keep-ratio", f"{ratio:g}")]
    percents = ",".join(f"{100 * ratio:g}" for ratio in ratios)
    return Run.of(
        prepared,
        tab="sweep",
        asked=wanted.image,
        link={"methods": ",".join(names), "ratios": percents},
        arguments=tuple(arguments),
        result=result,
        model=session.loaded.name,
        write=swept.write,
    )


def restored(values: Mapping[str, str]) -> tuple[list[str] | None, str | None]:
    """Methods and keep ratios that a link sets; None is left as it is."""
    try:
        ratios = check_ratios(read_ratios(values.get("ratios", "")))
    except InputError:
        return read_methods(values.get("methods")), None
    return read_methods(values.get("methods")), ", ".join(f"{100 * r:g}" for r in ratios)


def read_ratios(text: str, called: str = "keep ratio") -> list[float]:
    """Keep ratios, or what else the field is called, from percentages parted by commas or spaces.

    Raises
    ------
    InputError
        On anything that is not a number above 0 and up to 100.
    """
    found = []
    for word in re.split(r"[\s,;]+", (text or "").strip()):
        try:
            percent = float(word.rstrip("%"))
        except ValueError:
            shown = f", not {word!r}" if word else ""
            raise InputError(
                f"{called.capitalize()}s are percentages such as 100, 50, 12.5{shown}."
            ) from None
        if not 0.0 < percent <= 100.0:
            raise InputError(f"A {called} lies above 0 and up to 100 %, not at {word}.")
        found.append(percent / 100)
    return found


def plot(result: Sweep) -> dict[str, Any]:
    """What the plot draws."""
    looks = methods.looks()
    return {
        "total": result.num_visual,
        "baseline": None if result.baseline is None else result.baseline.text,
        "baselineLogprob": result.baseline_logprob if result.baseline is not None else None,
        "chance": [asdict(band) for band in result.chance],
        "curves": [
            {
                "name": curve.name,
                "title": curve.title,
                "look": looks[curve.name].to_dict(),
                "noBetter": no_better(curve, result),
                "points": [
                    {**asdict(point), "lines": point_lines(point, result)} for point in curve.points
                ],
                "breakAt": curve.break_point.kept if curve.break_point else None,
            }
            for curve in result.curves
        ],
    }
