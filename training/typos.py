"""Questions with one letter wrong, as people type them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from random import Random
from string import ascii_lowercase

from pruneviz.scenes.questions import Question
from pruneviz.scenes.spelling import edits
from pruneviz.scenes.vocabulary import CARD, CATEGORY_SYNONYMS, CLASSES
from training.tokenizer import vocabulary

SHORTEST = 4
"""Words of fewer letters are spelt rightly."""
ATTEMPTS = 8
_WORD = re.compile(r"[a-z]+")


@lru_cache(maxsize=1)
def _meanings() -> dict[str, str]:
    """What each word for a thing or a category stands for."""
    found = {CARD: CARD, "cards": CARD}
    for entry in CLASSES:
        found |= dict.fromkeys((entry.name, entry.plural, *entry.synonyms), entry.name)
    for category, words in CATEGORY_SYNONYMS.items():
        found |= dict.fromkeys(words, category)
    return found


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(vocabulary())


def _edit(word: str, rng: Random) -> str:
    at, letter = rng.randrange(len(word)), rng.choice(ascii_lowercase)
    head, tail = word[:at], word[at:]
    kind = rng.choice(("insert", "delete", "replace", "swap"))
    if kind == "insert":
        # A doubled letter is the likeliest slip.
        return head + (tail[0] if rng.random() < 0.5 else letter) + tail
    if kind == "delete":
        return head + tail[1:]
    if kind == "replace":
        return head + letter + tail[1:]
    return word[: max(at - 1, 0)] + word[max(at - 1, 0) : at + 1][::-1] + word[at + 1 :]


def misspell(word: str, rng: Random) -> str | None:
    """Return a word with one letter inserted, left out, replaced or swapped with its neighbour.

    Parameters
    ----------
    word : str
        In lower case.
    rng : random.Random
        Source of chance.

    Returns
    -------
    str or None
        Not a known word, and not one letter off a word for something else ("hear" for "pear"
        or "bear"): then nobody could tell. None where chance finds none.
    """
    meanings = _meanings()
    for _ in range(ATTEMPTS):
        typed = _edit(word, rng)
        if typed in _known():
            continue
        near = {meanings[other] for other in edits(typed) if other in meanings}
        if near <= {meanings.get(word)}:
            return typed
    return None


def with_typo(question: Question, rng: Random) -> Question:
    """Return a question with one letter wrong, in half of the cases in the name of a thing."""
    words = [m for m in _WORD.finditer(question.text.lower()) if len(m[0]) >= SHORTEST]
    names = [m for m in words if m[0] in _meanings()]
    others = [m for m in words if m[0] not in _meanings()]
    if not words:
        return question
    first = (names or others) if rng.random() < 0.5 else (others or names)
    chosen = rng.choice(first)
    typed = misspell(chosen[0], rng)
    if typed is None:
        return question
    text = question.text[: chosen.start()] + typed + question.text[chosen.end() :]
    return replace(question, text=text)


def with_typos(questions: Iterable[Question], rng: Random, share: float) -> list[Question]:
    """Return the questions, a share of them with one letter wrong.

    Parameters
    ----------
    questions : iterable of Question
        Rightly spelt.
    rng : random.Random
        Source of chance; not touched where the share is 0.
    share : float
        Probability of a typo.

    Returns
    -------
    list of Question
        As many; answers and kinds are untouched.
    """
    if not share:
        return list(questions)
    return [with_typo(q, rng) if rng.random() < share else q for q in questions]
