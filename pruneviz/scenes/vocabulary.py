"""What scenes are made of: object classes, card texts, colours and places.

Everything that questions, pictures and the tokenizer share is listed here once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectClass:
    """One kind of everyday object.

    Attributes
    ----------
    name, plural : str
        Single lower-case words.
    category : str
        Single lower-case word, for example ``animal``.
    emoji : str
        The Unicode code points of its pictures, as the art packages name them.
    synonyms : tuple of str
        Other singular words a question may use for it.
    """

    name: str
    plural: str
    category: str
    emoji: str
    synonyms: tuple[str, ...] = ()


# name | plural | code point | synonyms
_TABLE = {
    "animal": """
        cat cats 1f431 kitten
        dog dogs 1f436 puppy
        pig pigs 1f437
        frog frogs 1f438
        panda pandas 1f43c
        lion lions 1f981
        elephant elephants 1f418
        penguin penguins 1f427
        owl owls 1f989
        butterfly butterflies 1f98b
        fish fishes 1f420
        turtle turtles 1f422
        crab crabs 1f980
        octopus octopuses 1f419
        horse horses 1f434
        chick chicks 1f425
    """,
    "food": """
        apple apples 1f34e
        banana bananas 1f34c
        lemon lemons 1f34b
        cherry cherries 1f352
        watermelon watermelons 1f349 melon
        strawberry strawberries 1f353
        pineapple pineapples 1f34d
        carrot carrots 1f955
        cookie cookies 1f36a
        pear pears 1f350
        pizza pizzas 1f355
        hamburger hamburgers 1f354 burger
        doughnut doughnuts 1f369 donut
        cake cakes 1f382
        cheese cheeses 1f9c0
        egg eggs 1f373
    """,
    "vehicle": """
        car cars 1f697 automobile
        bus buses 1f68c
        train trains 1f682 locomotive
        bicycle bicycles 1f6b2 bike
        boat boats 26f5 sailboat
        rocket rockets 1f680
        helicopter helicopters 1f681
        tractor tractors 1f69c
    """,
    "instrument": """
        guitar guitars 1f3b8
        trumpet trumpets 1f3ba
        violin violins 1f3bb
        drum drums 1f941
        piano pianos 1f3b9 keyboard
    """,
    "plant": """
        cactus cactuses 1f335
        tree trees 1f333
        sunflower sunflowers 1f33b
        tulip tulips 1f337
        rose roses 1f339
        mushroom mushrooms 1f344
    """,
    "garment": """
        hat hats 1f3a9
        shirt shirts 1f455
        dress dresses 1f457
        scarf scarves 1f9e3
        shoe shoes 1f45f sneaker
        sock socks 1f9e6
    """,
    "tool": """
        hammer hammers 1f528
        axe axes 1fa93
        wrench wrenches 1f527 spanner
        magnet magnets 1f9f2
        key keys 1f511
    """,
    "toy": """
        ball balls 26bd football
        teddy teddies 1f9f8 bear
        kite kites 1fa81
        balloon balloons 1f388
    """,
    "thing": """
        umbrella umbrellas 2614
        clock clocks 23f0
        book books 1f4d5
        camera cameras 1f4f7
        chair chairs 1fa91
        bell bells 1f514
    """,
}


def _parse() -> tuple[ObjectClass, ...]:
    rows = []
    for category, block in _TABLE.items():
        for line in block.strip().splitlines():
            name, plural, emoji, *synonyms = line.split()
            rows.append(ObjectClass(name, plural, category, emoji, tuple(synonyms)))
    return tuple(rows)


CLASSES = _parse()
CLASS_INDEX = {entry.name: i for i, entry in enumerate(CLASSES)}
CARD = "card"
# "thing" only groups what has no everyday group word; questions never ask for it.
CATEGORIES = tuple(c for c in _TABLE if c != "thing")
CATEGORY_SYNONYMS = {
    "animal": ("animal", "creature"),
    "food": ("food", "snack"),
    "vehicle": ("vehicle",),
    "instrument": ("instrument",),
    "plant": ("plant",),
    "garment": ("garment", "clothing"),
    "tool": ("tool",),
    "toy": ("toy",),
}
DIGITS = tuple("0123456789")
WORDS = ("stop", "open", "sale", "exit", "hello", "home", "milk", "taxi")
CARD_TEXTS = DIGITS + WORDS
COLOURS = {
    "red": (214, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 215, 50),
    "green": (45, 160, 70),
    "blue": (40, 95, 210),
    "purple": (130, 60, 170),
    "white": (245, 245, 245),
    "black": (30, 30, 34),
}
# The nine places of a picture, row by row.
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "middle",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STYLES = ("fluent", "noto", "flat", "twemoji")
# Drawn in training only, so that a thing is known by more than four ways of drawing it. Some
# classes lack a drawing in some of them.
SHAPES = "shapes"
ICON_STYLES = ("emojione", "fxemoji", "streamline", SHAPES, "noto1")
# Each of these holds another drawing of a class, by many hands.
CLIPART_STYLES = ("clipart1", "clipart2", "clipart3", "clipart4", "clipart5")
TRAINING_STYLES = ICON_STYLES + CLIPART_STYLES


def article(word: str) -> str:
    """Return ``a`` or ``an``, whichever goes before ``word``."""
    return "an" if word[0] in "aeiou" else "a"
