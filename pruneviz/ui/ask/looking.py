"""Where the tokens of both answers look, for the canvas to draw. Knows no Gradio."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from pruneviz.engine import Answer, Looks, Session, Shelf, where_it_looks
from pruneviz.render.payload import encode_signal
from pruneviz.ui.ask.asking import prepare
from pruneviz.ui.ask.drawn import Drawn
from pruneviz.ui.shared.encoding import beginning
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.shown import Held, Shown

SENT = 1 << 19
"""Values of one run up to which every layer goes to the browser: a MiB."""
BLANK = "␣"
"""How a token of nothing but white space is written."""


def look(shelf: Shelf, held: Held | None, turn: Any) -> Generator[Drawn]:
    """Read both runs' attention; `turn` goes back with it, so that the browser knows whose it is.

    Of no result, no run.

    Closing the generator stops between the runs.
    """
    if held is None:
        yield Drawn(data={"turn": turn, "runs": []})
        return
    shown = held.shown
    yield from on_model(
        shelf,
        shown.model,
        lambda session: _look(session, shown, turn),
        Drawn,
        in_line=False,  # the rest of the page answers meanwhile
    )


def _look(session: Session, shown: Shown, turn: Any) -> Generator[Drawn]:
    yield Drawn(beginning(session))
    prepared, method = prepare(session, shown.question)
    runs = []
    for answer, pruner in ((shown.done.baseline, None), (shown.done.pruned, method)):
        looks = where_it_looks(session, prepared, pruner, answer)
        runs.append(run_payload(session, answer, looks))
        yield Drawn(data={"turn": turn, "runs": list(runs)})
    yield Drawn("")


def run_payload(session: Session, answer: Answer, looks: Looks) -> dict[str, Any]:
    """What the browser draws of one run: tokens of the answer's text, and where each looks."""
    special = set(session.loaded.tokenizer.all_special_ids)
    rows = [at for at, token in enumerate(answer.token_ids) if token not in special]
    layers = None if looks.layers is None else looks.layers[:, rows]
    if layers is not None and layers.size > SENT:
        layers = None
    return {
        "title": answer.label,
        "tokens": [answer.tokens[at].strip() or BLANK for at in rows],
        "mean": encode_signal(looks.mean[rows]),
        "layers": None if layers is None else encode_signal(layers.reshape(-1, layers.shape[-1])),
        "shares": _rounded(looks.shares[:, rows].mean(0)),
        "layerShares": [_rounded(row) for row in looks.shares[:, rows]],
    }


def _rounded(shares: np.ndarray) -> list[float]:
    return [round(float(share), 5) for share in shares]
