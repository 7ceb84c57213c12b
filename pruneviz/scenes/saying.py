"""Word a question as people type it: one of its patterns, with more or less around it.

A pattern is chosen first and its choices then, so that one with many choices is not asked more
often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

from pruneviz.scenes import phrases

_REQUESTS = frozenset(
    ("name", "identify", "describe", "find", "show", "locate", "point", "look", "count", "read")
)
_ASKING = frozenset(("what", "which", "where", "how", "in", "on", "at"))
_ENDINGS = ("?",) * 70 + ("",) * 15 + ("??",) * 4 + (" ?",) * 4 + (".",) * 4 + ("!",) * 3
_REQUEST_ENDINGS = (".",) * 45 + ("",) * 30 + ("?",) * 15 + ("!",) * 10
_INNERMOST = re.compile(r"\[([^\[\]]*)\]|<(\w+)>")
# A suffix that names the picture does not go behind a wording that does.
_PICTURE = re.compile(r"\b(?:picture|image|photo|drawing|scene|here)\b")


def _options(match: re.Match[str]) -> list[str]:
    return [phrases.CHOICES[match[2]]] if match[2] else match[1].split("|")


def vary(pattern: str, rng: Random) -> str:
    """Return one wording of a pattern, its slots still open."""
    while match := _INNERMOST.search(pattern):
        pattern = pattern[: match.start()] + rng.choice(_options(match)) + pattern[match.end() :]
    return " ".join(pattern.split())


def spread(pattern: str) -> Iterator[str]:
    """Yield every wording of a pattern, its slots still open, some more than once."""
    match = _INNERMOST.search(pattern)
    if match is None:
        yield " ".join(pattern.split())
        return
    for option in _options(match):
        yield from spread(pattern[: match.start()] + option + pattern[match.end() :])


def fill(text: str, slots: Mapping[str, str], rng: Random) -> str:
    """Fill the slots of a wording; a side is worded in one of its ways."""
    if "side" in slots:
        slots = {**slots, "side": vary(phrases.SIDES[slots["side"]], rng)}
    return text.format_map(slots)


def _is_request(text: str) -> bool:
    return text.split()[0] in _REQUESTS


def _shorten(text: str, rng: Random) -> str:
    """Return a wording as it is typed in haste: "whats", or an article left out."""
    if rng.random() < 0.12:
        text = re.sub(r"^(what|where) is\b", rng.choice((r"\1's", r"\1s")), text)
    articles = list(re.finditer(r" (?:the|an?)(?= )", text))
    if articles and rng.random() < 0.04:
        left_out = rng.choice(articles)
        text = text[: left_out.start()] + text[left_out.end() :]
    return text


def _affix(text: str, rng: Random) -> str:
    """Put something before or behind a wording that does not change what is asked."""
    first, bare = text.split()[0], not _PICTURE.search(text)
    if rng.random() < 0.25:
        before = phrases.PREFIXES
        if first in _ASKING:
            before += phrases.BEFORE_ASKING
        elif first in _REQUESTS:
            before += phrases.BEFORE_REQUEST
        chosen = rng.choice(before)
        text = f"{vary(chosen, rng)} {text}"
        bare = bare and not _PICTURE.search(text)
    if rng.random() < 0.2:
        text = f"{text} {vary(rng.choice(phrases.SUFFIXES if bare else phrases.SUFFIXES[:6]), rng)}"
    if rng.random() < 0.06:
        words = text.split()
        words.insert(rng.randrange(len(words) + 1), rng.choice(phrases.STRAY))
        text = " ".join(words)
    if rng.random() < 0.3:
        text = re.sub("[,:]", "", text)
    return text.replace(" ,", ",")


def say(rng: Random, kind: str, slots: Mapping[str, str]) -> str:
    """Word a question as people may type it.

    Parameters
    ----------
    rng : random.Random
        Source of chance.
    kind : str
        A key of :data:`pruneviz.scenes.phrases.PATTERNS`.
    slots : mapping of str to str
        What the pattern's slots are filled with; ``side`` is a key of the
        table of sides there.

    Returns
    -------
    str
        The question with its ending, if it has one.
    """
    text = fill(vary(rng.choice(phrases.PATTERNS[kind]), rng), slots, rng)
    ending = rng.choice(_REQUEST_ENDINGS if _is_request(text) else _ENDINGS)
    text = _affix(_shorten(text, rng), rng) + ending
    return text[0].upper() + text[1:] if rng.random() < 0.75 else text


def say_plainly(rng: Random, kind: str, slots: Mapping[str, str]) -> str:
    """Word a question as :func:`say` does, but in its plainest way."""
    text = fill(vary(phrases.PATTERNS[kind][0], rng), slots, rng)
    return text[0].upper() + text[1:] + "?"
