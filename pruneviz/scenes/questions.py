"""Questions about a scene, with true answers, in several phrasings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from pruneviz.scenes import phrases
from pruneviz.scenes.saying import say as say_freely
from pruneviz.scenes.scene import Item, Scene
from pruneviz.scenes.vocabulary import (
    CARD,
    CATEGORIES,
    CATEGORY_SYNONYMS,
    CLASS_INDEX,
    CLASSES,
    NUMBERS,
    PLACES,
    article,
)


@dataclass(frozen=True)
class Question:
    """A question, its one right answer, and which kind it is."""

    kind: str
    text: str
    answer: str


def _a(name: str) -> str:
    return f"{article(name)} {name}"


def _distinct(scene: Scene) -> list[str]:
    return list(dict.fromkeys(item.name for item in scene.items))


def _called(rng: Random, name: str) -> str:
    """Return the name, or now and then a synonym that a person might type."""
    synonyms = CLASSES[CLASS_INDEX[name]].synonyms if name != CARD else ()
    return rng.choice(synonyms) if synonyms and rng.random() < 0.2 else name


def _absent(rng: Random, scene: Scene) -> str:
    """Return a class that is not in the scene, often of a kind with one that is."""
    present = set(_distinct(scene))
    groups = {item.category for item in scene.items}
    free = [c for c in CLASSES if c.name not in present]
    close = [c for c in free if c.category in groups]
    if CARD not in present and rng.random() < 0.1:
        return CARD
    return rng.choice(close if close and rng.random() < 0.5 else free).name


@dataclass(frozen=True)
class _Draft:
    """What is asked, before it is put into words."""

    wording: str
    slots: Mapping[str, str]
    answer: str


def _what(rng: Random, scene: Scene) -> _Draft | None:
    if len(scene.items) != 1:
        return None
    return _Draft("what", {}, f"this is {_a(scene.items[0].name)}.")


def _place(rng: Random, scene: Scene) -> _Draft | None:
    place = rng.choice(scene.items).place if rng.random() < 0.85 else rng.randrange(len(PLACES))
    item = scene.at(place)
    slots = {"at": rng.choice(phrases.AT[PLACES[place]])}
    return _Draft("place", slots, f"there is {_a(item.name)}." if item else "there is nothing.")


def _category(rng: Random, scene: Scene) -> _Draft | None:
    counts = {c: [i for i in scene.items if i.category == c] for c in CATEGORIES}
    single = [c for c, found in counts.items() if len(found) == 1]
    if not single:
        return None
    category = rng.choice(single)
    slots = {"category": rng.choice(CATEGORY_SYNONYMS[category])}
    return _Draft("category", slots, f"the {category} is {_a(counts[category][0].name)}.")


def _where(rng: Random, scene: Scene) -> _Draft | None:
    single = [n for n in _distinct(scene) if len(scene.named(n)) == 1]
    if rng.random() < 0.12 or not single:
        name = _absent(rng, scene)
        answer = f"there is no {name}."
    else:
        name = rng.choice(single)
        place = PLACES[scene.named(name)[0].place]
        answer = f"the {name} is {phrases.AT[place][0]}."
    return _Draft("where", {"name": _called(rng, name)}, answer)


def _exists(rng: Random, scene: Scene) -> _Draft | None:
    present = rng.random() < 0.5
    name = rng.choice(_distinct(scene)) if present else _absent(rng, scene)
    asked = _called(rng, name)
    plural = "cards" if name == CARD else CLASSES[CLASS_INDEX[name]].plural
    slots = {"a": _a(asked), "name": asked, "plural": plural}
    answer = f"yes, there is {_a(name)}." if present else f"no, there is no {name}."
    return _Draft("exists", slots, answer)


def _count(rng: Random, scene: Scene) -> _Draft | None:
    names = [n for n in _distinct(scene) if n != CARD]
    if not names or rng.random() < 0.15:
        absent = [c for c in CLASSES if c.name not in names]
        entry = rng.choice(absent)
    else:
        often = max(names, key=lambda n: len(scene.named(n)))
        entry = CLASSES[CLASS_INDEX[often if rng.random() < 0.6 else rng.choice(names)]]
    number = len(scene.named(entry.name))
    slots = {"plural": entry.plural}
    if number > 1:
        return _Draft("count", slots, f"there are {NUMBERS[number]} {entry.plural}.")
    return _Draft("count", slots, f"there is {NUMBERS[number]} {entry.name}.")


def _total(rng: Random, scene: Scene) -> _Draft | None:
    number = len(scene.items)
    if number == 1:
        return _Draft("total", {}, "there is one object.")
    return _Draft("total", {}, f"there are {NUMBERS[number]} objects.")


def _read(rng: Random, scene: Scene) -> _Draft | None:
    cards = scene.named(CARD)
    if not cards:
        return None
    sort = "read digit" if cards[0].text.isdigit() else "read word"
    return _Draft("read" if rng.random() < 0.6 else sort, {}, f"the card says {cards[0].text}.")


def _colour(rng: Random, scene: Scene) -> _Draft | None:
    cards = scene.named(CARD)
    return _Draft("colour", {}, f"the card is {cards[0].colour}.") if cards else None


def _related(scene: Scene, item: Item, side: str) -> list[Item]:
    """Return what lies on one side of a thing, in its row or column of places."""
    row, column = divmod(item.place, 3)
    others = [(divmod(other.place, 3), other) for other in scene.items if other is not item]
    tests = {
        "left": lambda r, c: r == row and c < column,
        "right": lambda r, c: r == row and c > column,
        "above": lambda r, c: c == column and r < row,
        "below": lambda r, c: c == column and r > row,
        "next": lambda r, c: max(abs(r - row), abs(c - column)) == 1,
    }
    return [other for (r, c), other in others if tests[side](r, c)]


def _relation(rng: Random, scene: Scene) -> _Draft | None:
    options = []
    for name in _distinct(scene):
        if len(scene.named(name)) != 1:
            continue
        for side in phrases.SIDES:
            found = _related(scene, scene.named(name)[0], side)
            if len(found) == 1 and found[0].name != name:
                options.append((name, side, found[0].name))
    if not options:
        return None
    name, side, other = rng.choice(options)
    return _Draft("relation", {"name": name, "side": side}, f"it is {_a(other)}.")


_MAKERS: Mapping[str, Callable[[Random, Scene], _Draft | None]] = {
    "what": _what,
    "place": _place,
    "category": _category,
    "where": _where,
    "exists": _exists,
    "count": _count,
    "total": _total,
    "read": _read,
    "colour": _colour,
    "relation": _relation,
}
KINDS = tuple(_MAKERS)
# Words a question: chance, its key in the tables of wordings, and what fills the slots.
Say = Callable[[Random, str, Mapping[str, str]], str]


def ask(scene: Scene, kind: str, rng: Random, say: Say = say_freely) -> Question | None:
    """Make one question of a kind.

    Parameters
    ----------
    scene : Scene
        What is asked about.
    kind : str
        One of :data:`KINDS`.
    rng : random.Random
        Chooses the object, the phrasing and the ending.
    say : callable
        Puts the question into words.

    Returns
    -------
    Question or None
        None where the scene allows no such question, for example no card to read.
    """
    made = _MAKERS[kind](rng, scene)
    return Question(kind, say(rng, made.wording, made.slots), made.answer) if made else None


def ask_many(
    scene: Scene,
    count: int,
    rng: Random,
    kinds: Mapping[str, float],
    say: Say = say_freely,
) -> list[Question]:
    """Make several questions about one scene.

    Parameters
    ----------
    scene : Scene
        What is asked about.
    count : int
        How many.
    rng : random.Random
        Source of chance.
    kinds : mapping of str to float
        Relative frequency of each kind; kinds that the scene does not allow are skipped.
    say : callable
        Puts the questions into words.

    Returns
    -------
    list of Question
        Exactly ``count`` questions; none where the scene allows no kind.
    """
    names, weights = list(kinds), list(kinds.values())
    found: list[Question] = []
    possible = set(names)
    while len(found) < count and possible:
        kind = rng.choices(names, weights)[0]
        question = ask(scene, kind, rng, say)
        if question is not None:
            found.append(question)
        else:
            # What a scene does not allow once it never allows.
            possible.discard(kind)
    return found
