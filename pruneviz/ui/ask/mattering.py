"""What matters, measured by taking patches away, beside what a method thinks. Knows no Gradio."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from pruneviz.engine import Session, Settings, Shelf
from pruneviz.engine.matters import (
    MAX_FORWARDS,
    Effects,
    Judgement,
    Restored,
    judge,
    remembered_map,
    restore,
    what_giving_back_does,
)
from pruneviz.errors import InputError
from pruneviz.render.payload import pack
from pruneviz.ui.ask.asking import prepare
from pruneviz.ui.ask.drawn import Drawn
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.encoding import beginning
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.shown import Held, Shown
from pruneviz.ui.shared.status import status_html

REFRESH = 0.3
"""Least seconds between two updates of a growing map."""
SIDES = [
    ("Blocks of 2 x 2", 2),
    ("Single patches", 1),
    ("Blocks of 4 x 4", 4),
    (f"As fine as {MAX_FORWARDS} forwards allow", 0),
]


def measure_effects(shelf: Shelf, held: Held | None, side: int) -> Generator[Drawn]:
    """Take every block of patches away in turn; closing the generator stops."""
    yield from _about(shelf, held, lambda session, shown: _effects(session, shown, side))


def find_restoring(shelf: Shelf, held: Held | None, side: int) -> Generator[Drawn]:
    """Find dropped patches that, given back, restore the baseline's answer."""
    yield from _about(shelf, held, lambda session, shown: _restoring(session, shown, side))


def _about(
    shelf: Shelf, held: Held | None, run: Callable[[Session, Shown], Generator[Drawn]]
) -> Generator[Drawn]:
    if held is None:
        yield Drawn(status_html(texts.NOTHING_TO_MEASURE, "error"))
        return
    shown = held.shown
    yield from on_model(
        shelf,
        shown.model,
        lambda session: run(session, shown),
        Drawn,
        in_line=False,  # the rest of the page answers meanwhile
    )


def _settings(shown: Shown) -> Settings:
    return Settings(max_new_tokens=int(shown.question.max_new_tokens), signals=False)


def _effects(session: Session, shown: Shown, side: int) -> Generator[Drawn]:
    yield Drawn(beginning(session))
    prepared, method = prepare(session, shown.question)
    maps = remembered_map(session, prepared, block=side or None, settings=_settings(shown))
    last: Effects | None = None
    with closing(maps) as found:
        for last, line in _paced(found):
            yield Drawn(status_html(line, "busy"), payload(last, shown, method.title))
    if last is not None:
        data = payload(last, shown, method.title)
        yield Drawn(status_html(summary(last, data), "done"), data)


def _restoring(session: Session, shown: Shown, side: int) -> Generator[Drawn]:
    yield Drawn(beginning(session))
    fidelity = shown.done.fidelity
    if fidelity is not None and fidelity.exact_match:
        raise InputError("The answer is the baseline's already: nothing need be given back.")
    prepared, method = prepare(session, shown.question)
    trace, how = shown.done.pruned.trace, _settings(shown)
    maps = what_giving_back_does(session, prepared, method, trace, block=side or None, settings=how)
    last: Effects | None = None
    with closing(maps) as found:
        for effects, line in _paced(found):
            last = effects
            yield Drawn(status_html(f"Giving back: {line}", "busy"))
    if last is None:
        return
    result: Restored | None = None
    with closing(restore(session, prepared, method, last, settings=how)) as states:
        for result in states:
            yield Drawn(status_html(f"Trying them in real runs: {result.runs} so far …", "busy"))
    if result is not None:
        yield _restored(result, method.title)


def _restored(result: Restored, title: str) -> Drawn:
    runs = f"{result.runs} real run{'' if result.runs == 1 else 's'}"
    if result.tokens is None:
        line = f"In {runs} no patches were found that restore the answer, alone or together."
        return Drawn(status_html(line, "done"))
    many = len(result.tokens)
    line = (
        f"{many} dropped patch{'' if many == 1 else 'es'}, given back to {title}, restore the "
        f"baseline's answer ({runs}). They are pinned now: ask again with pins."
    )
    return Drawn(status_html(line, "done"), {"restore": list(result.tokens)})


def _paced(found: Generator[Effects]) -> Iterator[tuple[Effects, str]]:
    """Maps with a line each on how far they are; those in quick succession are left out."""
    begun, told = time.monotonic(), 0.0
    for effects in found:
        now = time.monotonic()
        if effects.finished or now - told > REFRESH:
            told = now
            yield effects, _progress(effects, now - begun)


def _progress(effects: Effects, spent: float) -> str:
    done, total = effects.done, len(effects.blocks)
    left = f", {spent * (total - done) / done:.0f} s left" if done and done < total else ""
    return f"{done} of {total} forwards{left} …"


def payload(effects: Effects, shown: Shown, title: str) -> dict[str, Any]:
    """What the browser draws: effects and scores of every token, and the blocks that stand out."""
    trace = shown.done.pruned.trace
    found = judge(effects, trace, title=title) if trace.stages else None
    known = effects.values[np.isfinite(effects.values)]
    return {
        "effects": _packed(effects.per_token),
        "block": effects.block,
        "noise": effects.noise,
        "most": float(known.max()) if known.size else 0.0,
        "finished": effects.finished,
        "title": title,
        "scores": None if found is None else _packed(_spread(effects, found.scores)),
        "top": [] if found is None else [_tokens(effects, n) for n in found.top],
        "dropped": [] if found is None else [_tokens(effects, n) for n in found.dropped],
        "said": [] if found is None or not effects.finished else sentences(found),
    }


def sentences(found: Judgement) -> list[str]:
    """The method held against the measurement, in words."""
    where = "before the LLM" if found.layer == 0 else f"after layer {found.layer}"
    said = [found.sentence]
    if found.correlation is not None:
        said.append(
            f"Rank correlation of {found.opinion} {where} with what was measured: "
            f"{found.correlation:.2f}."
        )
    if found.favourites:
        said.append(
            f"Of its own {len(found.favourites)} favourites {len(found.shared)} are among the "
            f"{len(found.top)} that matter most."
        )
    return said


def summary(effects: Effects, data: dict[str, Any]) -> str:
    """The status line of a finished map."""
    count = len(effects.blocks)
    first = data["said"][0] if data["said"] else "Nothing was pruned, so nothing was chosen."
    return f"Done, {count} forwards. {first}"


def _packed(values: np.ndarray) -> str:
    return pack(values.astype(np.float32), "f4")


def _spread(effects: Effects, of_blocks: np.ndarray) -> np.ndarray:
    spread = np.full(effects.num_visual, np.nan)
    for block, value in zip(effects.blocks, of_blocks, strict=True):
        spread[block.tokens] = value
    return spread


def _tokens(effects: Effects, number: int) -> list[int]:
    tokens: list[int] = effects.blocks[number].tokens.tolist()
    return tokens
