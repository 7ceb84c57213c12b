"""What pruning saves on this machine: paired measurements, beside arithmetic and the ideal.

A `Subject` is a model with a prompt, real (`subject`) or of random weights (`geometry`). `rounds`
runs it unpruned and with each method in turn, by the runs of `runs`, and against `ideal`: plain
forwards of the same lengths. `pairs` does so for one question of a session. `records` holds what
was found, `limits` puts it in words, `tables` in columns.
"""

from pruneviz.engine.bench.geometries import GEOMETRIES
from pruneviz.engine.bench.geometry import from_geometry, shape_of
from pruneviz.engine.bench.limits import verdicts
from pruneviz.engine.bench.pairs import PAIRS, PairEvent, paired
from pruneviz.engine.bench.records import Baseline, Group, Report, Row, Spread
from pruneviz.engine.bench.rounds import Entry, Plan, measure
from pruneviz.engine.bench.subject import ATTENTIONS, Subject, set_attention
from pruneviz.engine.bench.tables import as_markdown, as_text

__all__ = [
    "ATTENTIONS",
    "GEOMETRIES",
    "PAIRS",
    "Baseline",
    "Entry",
    "Group",
    "PairEvent",
    "Plan",
    "Report",
    "Row",
    "Spread",
    "Subject",
    "as_markdown",
    "as_text",
    "from_geometry",
    "measure",
    "paired",
    "set_attention",
    "shape_of",
    "verdicts",
]
