"""From statistics to panels that `render` draws."""

from __future__ import annotations

from collections.abc import Sequence

from pruneviz.evaluation.statistics import Entry, Share
from pruneviz.methods.registry import METHODS, controls
from pruneviz.render.evidence import Curve, Panel
from pruneviz.render.styles import styles

AXES = (
    ("tokens_share", "Visual tokens left", "% of all, after the last stage"),
    ("layer_share", "Layer average", "% of all, per decoder layer"),
    ("flops_share", "True FLOPs", "% of the unpruned run's"),
)
"""Field of an entry, and how a panel says it."""


def panels(entries: Sequence[Entry]) -> list[Panel]:
    """Accuracy against each of the three ways to say what is spent."""
    base = entries[0].accuracy
    return [
        Panel(title, label, _curves(entries, field), (base.value, base.low, base.high))
        for field, title, label in AXES
    ]


def hard_panel(entries: Sequence[Entry]) -> Panel | None:
    """Accuracy on the questions that the downsampled picture fails; None where there is none.

    The unpruned line is that of the smallest budget, whose questions are the most.
    """
    others = [one for one in entries[1:] if one.method != "downsample" and one.hard.questions]
    if not others:
        return None
    base = max(others, key=lambda one: one.hard.questions).hard_unpruned
    curves = _curves([entries[0], *others], "tokens_share", "hard")
    title = "Only what downsampling fails"
    return Panel(title, AXES[0][2], curves, (base.value, base.low, base.high))


def kind_panels(entries: Sequence[Entry]) -> list[Panel]:
    """Accuracy of each kind against the visual tokens left."""
    found = []
    for kind in entries[0].by_kind:
        base = entries[0].by_kind[kind]
        curves = _curves(entries, "tokens_share", kind=kind)
        title = f"{kind} ({base.questions})"
        found.append(Panel(title, AXES[0][2], curves, (base.value, base.low, base.high)))
    return found


def _curves(
    entries: Sequence[Entry], field: str, share: str = "accuracy", kind: str = ""
) -> tuple[Curve, ...]:
    found, looks = [], styles(list(METHODS), controls())
    for name in dict.fromkeys(one.method for one in entries[1:]):
        points = []
        for one in entries[1:]:
            worth: Share = one.by_kind[kind] if kind else getattr(one, share)
            if one.method == name and worth.questions:
                points.append((getattr(one, field), worth.value, worth.low, worth.high))
        if points:
            x, y, low, high = zip(*sorted(points), strict=True)
            found.append(Curve(METHODS[name].title, x, y, low, high, looks[name]))
    return tuple(found)
