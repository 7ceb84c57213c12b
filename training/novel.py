"""Wordings that training never uses: a test of whether questions are understood.

None of them is a pattern of :mod:`pruneviz.scenes.phrases` with something before or behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from pruneviz.scenes.saying import fill

NOVEL: dict[str, tuple[str, ...]] = {
    "what": (
        "what might this be",
        "what would you call this",
        "what is the name of this thing",
        "give me a word for the thing that you see",
    ),
    "place": (
        "what has been put {at}",
        "what did they draw {at}",
        "is there a thing {at}, and which",
        "which one would i find {at}",
    ),
    "category": (
        "what {category} could this be",
        "which of the things is a {category}",
        "give the name of the {category}",
    ),
    "where": (
        "where would i have to look for the {name}",
        "where has the {name} been put",
        "help me find the {name}",
        "where in there did they draw the {name}",
    ),
    "exists": (
        "could there be {a} in there",
        "did they draw {a}",
        "is there something like {a} to be seen",
        "have you seen {a}",
    ),
    "count": (
        "how many {plural} did they draw",
        "how many {plural} would you say there are",
        "what is your count of the {plural}",
    ),
    "total": (
        "how many things did they draw",
        "what is your count of all objects",
        "how many objects is the picture made of",
    ),
    "read": ("what did they write on the card", "what has been written on the card"),
    "read digit": ("which number did they put on the card",),
    "read word": ("which word did they write on the card",),
    "colour": (
        "how would you call the color of the card",
        "what color was the card made in",
        "what would you say the colour of the card is",
    ),
    "relation": (
        "what has been put {side} the {name}",
        "which one do i find {side} the {name}",
        "what did they draw {side} the {name}",
    ),
}


def say_novel(rng: Random, kind: str, slots: Mapping[str, str]) -> str:
    """Word a question as training never does; see :func:`pruneviz.scenes.saying.say`."""
    text = fill(rng.choice(NOVEL[kind]), slots, rng)
    return text[0].upper() + text[1:] + "?"
