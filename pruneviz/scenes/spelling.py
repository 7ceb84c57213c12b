"""Which word was meant: known ones with one letter wrong, and real words that look like these."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from string import ascii_lowercase

SHORTEST = 4
"""Known words of fewer letters are taken to be spelt rightly: too much is one letter off them."""

# Words of their own, each one letter off a word of the questions: nobody who types "goat" means
# "boat".
LOOKALIKES = frozenset(
    """
    animals apart back bald bat bats bean beard beat bee beef beer bees belt belts bill bite
    bites blank block blocks bolt boom boot boots bowls brain brains bread bull bulls bushes
    cage cages cane cans cape caps care cart carts case cases cast cave caves cell cello cells
    chain chains check cloak closet coat coats cock cocks coke cold come cook cooks cool cord
    county cover creatures crib dart days dead dear dish dishes dock docks doe dome dots doves
    drain dresser drug drugs dust ear ears eats ever every fall falls fear fell fellow fiddle
    fight figs file fill fine fire fist flies flour flower fog fond foods foot fort from game
    garments gear glue goat goats goes good grain hair hall hamper hard hare hate head hear
    hears hen hide hill hive hoe hole hood hook hooks hope hose hour house houses huts ill
    instruments jars kid kill king kit kits knew knot lace lake lakes lead letter life light
    liked lime limes line live lives lock locket locks logs lose mad make male mall man mare
    mast mats mild mill mind mine mitten most named names nest net nice night none nose noses
    not oars oat oats oranges oven pace paint palace pale park parrot parts past pea peace
    pearl pearls peas pen photos pies pike pill pine pint plane planet plants plate played
    pocket poppy pot power racket rain rats reads ready real ride rights road robe rock rocker
    rocks role rope ropes sack sacks safe salt same sand scanner seed sells shop shops shore
    short shorts shot sick sing site size skirt skirts slow snacks snow socket soft sore sour
    spear stem stool sword take takes tall tame tape tart taxis tells tent test thick thin
    think thinks tide ties tight toes took tools tower trail use vehicles wait wall walls wand
    wants wave wear wears weight went were wheat when wide wild wind wine wish wood wool words
    work worm worse yard year years
    """.split()
)


def edits(word: str) -> Iterator[str]:
    """Yield every word that is one letter off, and the word itself among them."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in ascii_lowercase:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def meanings(word: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the known words that a typed one may stand for.

    Parameters
    ----------
    word : str
        In lower case.
    known : collection of str
        All known words; a set, as it is searched often.

    Returns
    -------
    tuple of str
        The word alone where it is known, else known ones of four letters at least that are one
        letter off; none where the typed one is a word of its own.
    """
    if word in known:
        return (word,)
    if word in LOOKALIKES:
        return ()
    return tuple(sorted({e for e in edits(word) if len(e) >= SHORTEST and e in known}))
