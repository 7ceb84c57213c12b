"""Invent scenes: which objects, where, how large. No pixels yet."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from pruneviz.scenes.art import training_drawings
from pruneviz.scenes.vocabulary import (
    CARD,
    CARD_TEXTS,
    CLASS_INDEX,
    CLASSES,
    COLOURS,
    PLACES,
    STYLES,
)

# Seeds below the first border train; the ranges never meet.
TRAIN_SEEDS = (0, 1_000_000_000)
TEST_SEEDS = (2_000_000_000, 2_100_000_000)
# Half the width of the zone in which the centre of an object may lie inside its ninth of
# the picture, so that its place can be named without doubt.
_JITTER = 0.095


@dataclass(frozen=True)
class Item:
    """One thing in a scene; lengths are fractions of the scene's side.

    Attributes
    ----------
    name : str
        Class name, or ``card``.
    style : str
        Drawing style; empty for a card.
    x, y : float
        Centre, from the left and from the top.
    size : float
        Side of its square box.
    place : int
        Index into :data:`pruneviz.scenes.vocabulary.PLACES`.
    mirrored : bool
        Whether it is drawn mirrored.
    tilt : float
        Rotation in degrees.
    text, colour : str
        A card's text and the name of its colour; empty for objects.
    """

    name: str
    style: str
    x: float
    y: float
    size: float
    place: int
    mirrored: bool = False
    tilt: float = 0.0
    text: str = ""
    colour: str = ""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom as fractions of the scene's side."""
        half = self.size / 2
        return (self.x - half, self.y - half, self.x + half, self.y + half)

    @property
    def category(self) -> str:
        """The class's category, or ``card``."""
        return CARD if self.name == CARD else CLASSES[CLASS_INDEX[self.name]].category


@dataclass(frozen=True)
class Scene:
    """A square scene: its things from back to front and the seed of its background."""

    items: tuple[Item, ...]
    seed: int

    def at(self, place: int) -> Item | None:
        """Return the thing at a place, or None."""
        return next((item for item in self.items if item.place == place), None)

    def named(self, name: str) -> list[Item]:
        """Return all things of one class."""
        return [item for item in self.items if item.name == name]


@dataclass(frozen=True)
class SceneRules:
    """How scenes are drawn at random.

    Attributes
    ----------
    crowds : tuple of float
        Relative frequency of scenes with 1, 2, ... things.
    card : float
        Probability of a card in a scene.
    repeat : float
        Probability that a further object repeats an earlier one's class.
    extra : float
        Probability that an object is drawn in a style kept for training only.
    sizes : tuple of (float, float, float)
        Least and largest size of things, as shares of the side, and how often a scene has
        things of such sizes: one entry is chosen for the whole scene.
    alone : tuple of float, optional
        Least and largest size of a thing that is alone; None: as in company.
    """

    crowds: tuple[float, ...] = (0.2, 0.15, 0.2, 0.2, 0.15, 0.1)
    card: float = 0.35
    repeat: float = 0.25
    extra: float = 0.0
    sizes: tuple[tuple[float, float, float], ...] = ((0.21, 0.34, 1.0),)
    alone: tuple[float, float] | None = (0.24, 0.5)


# Crowds of small things: which patches stay decides what can still be answered.
SMALL = SceneRules(
    crowds=(0, 0, 0, 0, 0.3, 0.3, 0.2, 0.1, 0.1), card=0.0, sizes=((0.07, 0.10, 1.0),)
)


def _style(rng: Random, name: str, rules: SceneRules) -> str:
    if rules.extra and rng.random() < rules.extra:
        return rng.choice(training_drawings()[name])
    return rng.choice(STYLES)


def _names(rng: Random, count: int, rules: SceneRules) -> list[str]:
    pool = list(CLASS_INDEX)
    names: list[str] = []
    for _ in range(count):
        repeated = names and rng.random() < rules.repeat
        names.append(rng.choice(names) if repeated else rng.choice(pool))
    if rng.random() < rules.card:
        names[rng.randrange(count)] = CARD
    # At most one card: questions speak of "the card".
    return names


def _place(
    rng: Random, name: str, place: int, sizes: tuple[float, float], rules: SceneRules
) -> Item:
    row, column = divmod(place, 3)
    x = (column + 0.5) / 3 + rng.uniform(-_JITTER, _JITTER)
    y = (row + 0.5) / 3 + rng.uniform(-_JITTER, _JITTER)
    size = rng.uniform(*sizes)
    # Everything stays inside the picture.
    half = size / 2
    x = min(max(x, half), 1 - half)
    y = min(max(y, half), 1 - half)
    if name == CARD:
        text, colour = rng.choice(CARD_TEXTS), rng.choice(list(COLOURS))
        size = rng.uniform(0.28, 0.36)
        x, y = (min(max(v, size / 2), 1 - size / 2) for v in (x, y))
        return Item(CARD, "", x, y, size, place, tilt=rng.uniform(-6, 6), text=text, colour=colour)
    mirrored, tilt = rng.random() < 0.5, rng.uniform(-15, 15)
    return Item(name, _style(rng, name, rules), x, y, size, place, mirrored, tilt)


def sample_scene(seed: int, rules: SceneRules | None = None) -> Scene:
    """Invent a scene.

    Parameters
    ----------
    seed : int
        The same seed and rules give the same scene.
    rules : SceneRules, optional
        Frequencies and sizes.

    Returns
    -------
    Scene
        As many things as ``rules.crowds`` says, each in a ninth of its own.
    """
    rules = rules or SceneRules()
    rng = Random(seed)  # noqa: S311 - pictures, not secrets
    count = rng.choices(range(1, len(rules.crowds) + 1), rules.crowds)[0]
    places = rng.sample(range(len(PLACES)), count)
    names = _names(rng, count, rules)
    low, high, _ = rules.sizes[0]
    if len(rules.sizes) > 1:
        low, high, _ = rng.choices(rules.sizes, [weight for *_, weight in rules.sizes])[0]
    sizes = rules.alone if rules.alone and count == 1 else (low, high)
    items = [_place(rng, n, p, sizes, rules) for n, p in zip(names, places, strict=True)]
    return Scene(tuple(items), seed)
