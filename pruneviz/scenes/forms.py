"""Tell whether a question is of a form that training asks, whatever its very words.

A question is reduced to tags for what it names (things, categories, places, sides) and to the key
words that decide what is asked; all else ("do you see", "in the picture") does not count. Each
form says what it names, which key words it needs and which others it bears, and of what the picture
must show one alone for the question to have one answer: training asks no others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice, product

from pruneviz.scenes import phrases
from pruneviz.scenes.saying import spread
from pruneviz.scenes.spelling import meanings
from pruneviz.scenes.vocabulary import CARD, CATEGORY_SYNONYMS, CLASSES, COLOURS

WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|\d+")
# Words that training does not use and that change nothing of what is asked.
HARMLESS = frozenset(
    """
    anybody anyone appear appears around being call called displayed draw drawn drew every exist
    exists found gave give given got had he help her hidden hiding him his hold holds into must new
    piece printed put puts seem seems she sitting somewhere standing such write writing wrote
    """.split()
)
# Ways of reading misspelt words that are tried.
_MOST = 64
_ARTICLES = frozenset(("the", "a", "an"))
_THING, _THINGS, _CARD, _CARDS, _GROUP, _PLACE, _SIDE, _TINT, _ODD, _UNKNOWN = (
    *("THING", "THINGS", "CARD", "CARDS", "GROUP", "PLACE", "SIDE", "TINT", "ODD", "UNKNOWN"),
)
ANY, _NAMED = "thing", "NAMED"
_OF_PICTURE = re.compile(r"\bof (?:this )?(?:picture|image|photo|drawing|scene)\b")
_HOW = (
    ("how many", "many"),
    ("how would you call", "what"),
    ("how do you call", "what"),
    ("how you call", "what"),
)
# Who did something is asked of people; "who is this" of things too.
_WHO_DID = re.compile(r"\bwho\b(?! (?:is|s)\b)")
_WHERE_IN_PICTURE = re.compile(
    r"\b(?:(?:(?:at|in|on|to) )?(?:top|bottom|upper|lower|left|right|middle|center|centre)\b ?)+"
    r"(?:(?:side|corner|part|half)\b)?"
)
# A question that begins so and asks for nothing by name wants a yes or a no.
_YES = "YES"
_POLAR = ("is", "are", "does", "has")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASK = _set("what which who")
_NAME = _set("name identify describe")
_SEEK = _set("find show locate point look")
_SPOT = _set("place position location part corner side")
_READ = _set("read text number digit word letters written")
_COUNT = _set("many count number")
_HUE = _set("color colour")
_SHOWN = _set(
    "this that it there here in shown shows show see seen visible looking picture image photo "
    "drawing scene object thing item find spot notice"
)
# A thing is asked for as one that is there, or that somebody shows or sees.
_THERE = _SHOWN | _set("is are any has have contain contains shows draw drew drawn")
_KEYS = frozenset(
    chain(_ASK, _NAME, _SPOT, _READ, _COUNT, _HUE, _set("where how if whether about all kind sort"))
) | {_YES, "type"}


@dataclass(frozen=True)
class _Form:
    """What a question of this form names, one key word of each of `needs`, others it `bears`.

    `alone`: of what there must be one, :data:`ANY` thing at all, a card or what is named.
    """

    names: tuple[tuple[str, ...], ...]
    needs: tuple[frozenset[str], ...] = ()
    bears: frozenset[str] = frozenset()
    alone: str = ""

    def fits(self, tags: tuple[str, ...], words: frozenset[str]) -> bool:
        keys = words & _KEYS
        return (
            tags in self.names
            and all(words & some for some in self.needs)
            and keys <= frozenset(chain(self.bears, *self.needs))
        )


_ONE, _MANY = ((_THING,), (_CARD,)), ((_THING,), (_THINGS,))
_FORMS = (
    # what
    _Form(((),), (_ASK | _NAME | {"about", "word"}, _SHOWN), _set("kind sort type word"), ANY),
    # place
    _Form(((_PLACE,),), (), _ASK | _NAME | _SPOT | {_YES}),
    # category
    _Form(((_GROUP,),), (_ASK | _NAME | _SEEK | {"tell", "say"},), _set("kind sort type"), _NAMED),
    # where
    _Form(_ONE, (_SEEK | {"where"},), _SPOT, _NAMED),
    _Form(_ONE, (_SPOT, _ASK), alone=_NAMED),
    _Form(_ONE, (_set("place position location"),), alone=_NAMED),
    # exists
    _Form((*_ONE, (_THINGS,), (_CARDS,)), (_THERE,), _set("if whether part") | {_YES}),
    # count, total
    _Form(_MANY, (_COUNT,), _set("what all")),
    _Form(((),), (_set("many"),), _COUNT | {"all"}),
    _Form(((),), (_COUNT, _set("objects things items everything")), _set("what all")),
    # read
    _Form(
        ((), (_CARD,), (_CARD, _TINT)),
        (_READ | _set("say says write writing wrote"),),
        _ASK | {"name"},
        CARD,
    ),
    _Form(((_CARD,), (_CARD, _TINT)), (_ASK, _set("on")), alone=CARD),
    # colour
    _Form(((_CARD,),), (_HUE,), _ASK | {"name"}, CARD),
    _Form(((),), (_HUE, _set("its")), _ASK, CARD),
    # relation
    _Form(((_SIDE, _THING), (_CARD, _SIDE)), (_ASK | _NAME | _SEEK,), alone=_NAMED),
)


@lru_cache(maxsize=1)
def _tags() -> dict[str, str]:
    """What the names of things stand for."""
    found = dict.fromkeys(_cards(), _CARD) | {f"{CARD}s": _CARDS} | dict.fromkeys(COLOURS, _TINT)
    for entry in CLASSES:
        found |= dict.fromkeys((entry.name, *entry.synonyms), _THING) | {entry.plural: _THINGS}
    return found | dict.fromkeys(chain(*CATEGORY_SYNONYMS.values()), _GROUP)


@lru_cache(maxsize=1)
def _meant() -> dict[str, str]:
    """The class or category that a name of one thing or of a category stands for."""
    found = dict.fromkeys(_cards(), CARD)
    for entry in CLASSES:
        found |= dict.fromkeys((entry.name, *entry.synonyms), entry.name)
    for category, names in CATEGORY_SYNONYMS.items():
        found |= dict.fromkeys(names, category)
    return found


def _cards() -> Iterator[str]:
    return spread(phrases.CHOICES["card"].replace("the ", ""))


@lru_cache(maxsize=1)
def _plain_words() -> frozenset[str]:
    """Words of the phrases themselves, and others like them."""
    tables = (phrases.PREFIXES, phrases.BEFORE_ASKING, phrases.BEFORE_REQUEST, phrases.SUFFIXES)
    texts = chain(*phrases.PATTERNS.values(), *tables, *phrases.AT.values(), phrases.STRAY)
    everything = chain(texts, phrases.CHOICES.values(), phrases.SIDES.values(), phrases.SHORTENED)
    bare = (re.sub(r"<\w+>|\{\w+\}", " ", text) for text in everything)
    return HARMLESS.union(*(WORD.findall(text) for text in bare))


@lru_cache(maxsize=1)
def _sides() -> re.Pattern[str]:
    wordings = {w.replace("the ", "") for text in phrases.SIDES.values() for w in spread(text)}
    listed = "|".join(sorted(wordings, key=len, reverse=True))
    return re.compile(rf"\b(?:{listed})\b")


def _spellings(question: str, known: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words as they may have been meant; :data:`_UNKNOWN` for each that is not known."""
    usual = _plain_words()
    words = WORD.findall(question.lower())
    meant = ((w,) if w in usual else meanings(w, known) or (_UNKNOWN,) for w in words)
    return islice(product(*meant), _MOST)


def _reduced(spelt: Iterable[str]) -> list[str]:
    """Return a question's words, with tags in place of what it names."""
    left_out = _ARTICLES.union(phrases.STRAY)
    text = " ".join(word for word in spelt if word not in left_out)
    text = _OF_PICTURE.sub("", re.sub(r"\b(what|where)s\b", r"\1 is", text))
    for typed, plain in _HOW:
        text = text.replace(typed, plain)
    text = re.sub(r"\bevery\b", "all", text)
    text = _WHO_DID.sub(_ODD, text)
    text = _WHERE_IN_PICTURE.sub(f" {_PLACE} ", _sides().sub(f" {_SIDE} ", text))
    tags, usual = _tags(), _plain_words()
    kept = {_PLACE, _SIDE, _UNKNOWN, _ODD}.union(usual)
    return [tags.get(w) or (w if w in kept else _ODD) for w in text.split()]


def unknown(question: str, known: Collection[str]) -> Iterator[str]:
    """Yield the words of a question that are not known, not even misspelt, and not harmless."""
    for word in WORD.findall(question.lower()):
        if word not in HARMLESS and not meanings(word, known):
            yield word


def misspelt(question: str, known: Collection[str]) -> list[str]:
    """Return the words of a question that are not known, but like a known one."""
    usual = _plain_words()
    words = (word for word in WORD.findall(question.lower()) if word not in usual)
    return [word for word in words if word not in known and meanings(word, known)]


def is_taught(question: str, known: Collection[str]) -> bool:
    """Tell whether a question has the form of one of the ten kinds.

    Parameters
    ----------
    question : str
        As typed.
    known : collection of str
        Words that training used; one that is not among them may stand for a thing.

    Returns
    -------
    bool
        False also for an empty question.
    """
    return any(any(_fitting(_reduced(spelt))) for spelt in _spellings(question, known))


def alone(question: str, known: Collection[str]) -> frozenset[str]:
    """Tell of what a picture must show one alone for a question to have one answer.

    Parameters
    ----------
    question, known
        As for :func:`is_taught`.

    Returns
    -------
    frozenset of str
        :data:`ANY`, a class, a category or ``card``; several where the question may be read in
        several ways, one of which is enough. Empty where it does not depend on that.
    """
    found = set()
    for spelt in _spellings(question, known):
        named = [_meant()[word] for word in spelt if word in _meant()]
        for form in _fitting(_reduced(spelt)):
            if not form.alone or (form.alone == _NAMED and not named):
                return frozenset()
            found.add(named[0] if form.alone == _NAMED else form.alone)
    return frozenset(found)


def _fitting(words: list[str]) -> Iterator[_Form]:
    """Yield the forms that a reduced question has."""
    keys = frozenset(w for w in words if w.islower())
    if words and words[0] in _POLAR and not keys & _ASK:
        keys |= {_YES}
    for instead in (_THING, _THINGS) if _UNKNOWN in words else ("",):
        named = tuple(sorted(instead if w == _UNKNOWN else w for w in words if w.isupper()))
        yield from (form for form in _FORMS if form.fits(named, keys))
