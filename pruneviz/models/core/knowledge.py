"""What a small model knows, read from its folder, and honest hints where a question leaves it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pruneviz.errors import ModelLoadError
from pruneviz.models.core.familiar import Familiar
from pruneviz.models.core.reading import told_as
from pruneviz.scenes.forms import ANY, alone, is_taught, misspelt, unknown
from pruneviz.scenes.vocabulary import CARD, CARD_TEXTS, CATEGORIES, CLASSES

FILE, STATISTICS = "knowledge.json", "familiar.safetensors"
CLAIMED, CLAIMED_NOVEL = 0.95, 0.90
"""Kinds of questions are claimed where more than these shares were answered rightly: about scenes
that training never drew, and there in wordings that it never used."""
OTHER_FORM = (
    "This model was taught other forms of questions: what is this (of one thing), what is at a "
    "place, which animal (food, vehicle, …) is it, where is X, is there X, how many X, how many "
    "objects, what does the card say, what colour is the card, what is next to (left of, above, …) "
    "X."
)
SEVERAL = (
    "This picture seems to show more than one {}, and this model was taught such a question only "
    "for pictures with one. It knows how many there are, and what is at a place."
)
TYPOS = (
    "This model was taught to read one word with a letter wrong, and makes little of several: {}."
)
_LONGEST = 24
_NAMES = (*(entry.name for entry in CLASSES), *[CARD] * len(CARD_TEXTS))
_CATEGORY = {entry.name: entry.category for entry in CLASSES if entry.category in CATEGORIES}


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What a model was taught and how well it learned it.

    Attributes
    ----------
    words : frozenset of str
        Lower-case words that its training used.
    accuracy : mapping of str to float
        Share of right answers on held-out questions, by kind of question.
    pictures : Familiar
        What its training pictures look like.
    novel : mapping of str to float
        The same shares in wordings that training never used.
    """

    words: frozenset[str]
    accuracy: Mapping[str, float]
    pictures: Familiar
    novel: Mapping[str, float] = field(default_factory=dict)

    @property
    def claims(self) -> tuple[str, ...]:
        """Kinds of questions that the model answers reliably."""
        shares = self.accuracy.items()
        return tuple(k for k, share in shares if is_claimed(share, self.novel.get(k, 1.0)))

    def unknown_words(self, question: str) -> list[str]:
        """Words of a question that the model never met, in order, each once.

        Those that change nothing of what is asked, and known ones with one letter wrong, are
        left out.
        """
        return list(dict.fromkeys(unknown(question, self.words)))

    def hints(self, question: str, visual: torch.Tensor) -> tuple[str, ...]:
        """Sentences on why an answer may be worthless; none if all is familiar."""
        found = []
        if words := self.unknown_words(question):
            listed = ", ".join(f"“{shorten(word)}”" for word in words[:5])
            found.append(f"This model was never taught the word{'s'[: len(words) > 1]} {listed}.")
        if len(wrong := misspelt(question, self.words)) > 1:
            found.append(TYPOS.format(", ".join(f"“{shorten(word)}”" for word in wrong[:5])))
        if not is_taught(question, self.words):
            found.append(OTHER_FORM)
        if doubt := self.pictures.doubt(visual):
            found.append(doubt)
        elif several := self._several(question, visual):
            found.append(SEVERAL.format(several))
        return tuple(found)

    def _several(self, question: str, visual: torch.Tensor) -> str:
        """Of what a picture shows several that the question takes for one; empty if of nothing."""
        wanted = alone(question, self.words)
        if not wanted or visual.shape != self.pictures.background.shape:
            return ""
        found = self.pictures.found(visual)
        counts = Counter({ANY: len(found)})
        # Without any class missing the rows are in the order of the labels of the training.
        if len(self.pictures.classes) == len(_NAMES):
            names = [_NAMES[row] for row in found]
            counts.update(names)
            counts.update(_CATEGORY[name] for name in names if name in _CATEGORY)
        return max(wanted) if all(counts[one] > 1 for one in wanted) else ""


def shorten(word: str) -> str:
    """Return a word as a hint quotes it: whole, or its beginning."""
    return word if len(word) <= _LONGEST else f"{word[:_LONGEST]}…"


def load_knowledge(folder: Path) -> Knowledge | None:
    """Read what lies beside a model's weights; None where there is nothing.

    Parameters
    ----------
    folder : Path
        The model's folder.

    Returns
    -------
    Knowledge or None

    Raises
    ------
    ModelLoadError
        If it is damaged; the model is none the worse for it.
    """
    if not (folder / FILE).is_file() or not (folder / STATISTICS).is_file():
        return None
    with told_as(lambda text, _: _damaged(text)):
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        words, shares = record["words"], record.get("accuracy", {})
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("words is no list of words")
        return Knowledge(
            words=frozenset(words),
            accuracy=_shares(shares.get("scenes", {})),
            pictures=Familiar.load(folder / STATISTICS),
            novel=_shares(shares.get("novel", {})),
        )


def _shares(found: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Shares of right answers, of pairs of how many were right and asked."""
    return {kind: right / total for kind, (right, total) in found.items() if kind != "all"}


def _damaged(why: str) -> ModelLoadError:
    return ModelLoadError(
        f"What this model was taught cannot be told: {FILE} or {STATISTICS} in its folder is "
        f"damaged ({why})."
    )


def is_claimed(scenes: float, novel: float) -> bool:
    """Whether these shares of right answers are enough to claim a kind of questions."""
    return scenes > CLAIMED and novel > CLAIMED_NOVEL
