"""Questions are worded in many ways, all of which ask what is answered."""

import re
from random import Random

import pytest

from pruneviz.scenes import phrases
from pruneviz.scenes.questions import KINDS, ask, ask_many
from pruneviz.scenes.saying import say, say_plainly, spread
from pruneviz.scenes.scene import SceneRules, sample_scene
from pruneviz.scenes.vocabulary import (
    CARD,
    CATEGORY_SYNONYMS,
    CLASSES,
    COLOURS,
    NUMBERS,
    PLACES,
)
from training.held_out import held_out
from training.novel import NOVEL, say_novel
from training.tokenizer import vocabulary

SLOTS = {
    "place": {"at"},
    "category": {"category"},
    "where": {"name"},
    "exists": {"a", "name", "plural"},
    "count": {"plural"},
    "relation": {"side", "name"},
}
MEANS = {CARD: CARD, "cards": CARD} | {
    word: entry.name for entry in CLASSES for word in (entry.name, entry.plural, *entry.synonyms)
}
GROUPS = {word: group for group, words in CATEGORY_SYNONYMS.items() for word in words}
SIDE_WORDS = {
    "left": "left",
    "right": "right",
    **dict.fromkeys(("above", "over", "top"), "above"),
    **dict.fromkeys(("below", "under", "beneath", "underneath"), "below"),
    **dict.fromkeys(("next", "beside", "close", "near", "by"), "next"),
}
SAYS = {"freely": say, "plainly": say_plainly, "novel": say_novel}


def _words(text):
    return re.findall(r"[a-z]+", text.lower())


def _wordings(key):
    return {text for pattern in phrases.PATTERNS[key] for text in spread(pattern)}


def _asked(kind, how, count=300):
    for seed in range(count):
        scene = sample_scene(seed)
        question = ask(scene, kind, Random(seed), SAYS[how])  # noqa: S311 - not secret
        if question is not None:
            yield scene, question, _words(question.text), _words(question.answer)


@pytest.mark.parametrize("key", phrases.PATTERNS)
def test_every_wording_has_the_slots_of_its_kind(key):
    allowed = SLOTS.get(key, set())
    for text in (*_wordings(key), *NOVEL[key]):
        used = set(re.findall(r"{(\w+)}", text))
        assert used <= allowed, text
        assert bool(used) == bool(allowed), text
        assert used in ({"at"}, {"side", "name"}) or len(used) <= 1, text
        assert not re.search(r"[\[\]<>|]", text), text


@pytest.mark.parametrize("how", SAYS)
def test_a_place_asked_for_is_the_place_of_the_answer(how):
    seen = set()
    for scene, _, asked, said in _asked("place", how, 600):
        rows = [w for w in asked if w in ("top", "upper", "bottom", "lower")]
        columns = [w for w in asked if w in ("left", "right")]
        row = 0 if {"top", "upper"} & set(rows) else 2 if rows else 1
        column = (0 if "left" in columns else 2) if columns else 1
        item = scene.at(3 * row + column)
        assert said[-1] == (item.name if item else "nothing"), asked
        seen.add((row, column))
    assert len(seen) == len(PLACES)


@pytest.mark.parametrize("how", SAYS)
def test_a_relation_asked_for_holds_between_the_centres(how):
    seen = set()
    for scene, _, asked, said in _asked("relation", how, 900):
        (side,) = {SIDE_WORDS[word] for word in asked if word in SIDE_WORDS}
        (name,) = [word for word in asked if word in MEANS]
        (one,), others = scene.named(name), scene.named(said[-1])
        holds = {
            "left": lambda a, b: b.x < a.x,
            "right": lambda a, b: b.x > a.x,
            "above": lambda a, b: b.y < a.y,
            "below": lambda a, b: b.y > a.y,
            "next": lambda a, b: max(abs(a.x - b.x), abs(a.y - b.y)) < 0.6,
        }[side]
        assert any(holds(one, other) for other in others), asked
        seen.add(side)
    assert seen == set(phrases.SIDES)


@pytest.mark.parametrize("side", phrases.SIDES)
def test_every_wording_of_a_side_means_that_side(side):
    for text in spread(phrases.SIDES[side]):
        assert {SIDE_WORDS[w] for w in _words(text) if w in SIDE_WORDS} == {side}


@pytest.mark.parametrize("how", SAYS)
@pytest.mark.parametrize("kind", ["where", "exists", "count"])
def test_the_thing_asked_for_is_the_thing_answered(kind, how):
    for _, _, asked, said in _asked(kind, how):
        name = next(MEANS[word] for word in said if word in MEANS)
        assert {MEANS[word] for word in asked if word in MEANS} == {name}, asked


@pytest.mark.parametrize("how", SAYS)
def test_the_category_asked_for_is_the_one_answered(how):
    for _, _, asked, said in _asked("category", how):
        assert {GROUPS[word] for word in asked if word in GROUPS} == {said[1]}


def test_what_is_only_asked_of_one_thing():
    assert all(len(scene.items) == 1 for scene, *_ in _asked("what", "freely"))


def test_words_and_digits_are_asked_of_cards_that_have_them():
    for scene, _, asked, _ in _asked("read", "freely", 900):
        (card,) = scene.named(CARD)
        if "word" in asked:
            assert card.text.isalpha()
        if {"number", "digit"} & set(asked):
            assert card.text.isdigit()


def test_what_stands_around_a_question_asks_for_nothing():
    around = phrases.PREFIXES + phrases.BEFORE_ASKING + phrases.BEFORE_REQUEST
    around += phrases.SUFFIXES + phrases.STRAY
    used = {word for pattern in around for text in spread(pattern) for word in _words(text)}
    asks = {*MEANS, *GROUPS, *SIDE_WORDS, *COLOURS, *NUMBERS, "not", "bottom", "only", "other"}
    assert not used & asks


def test_endings_cases_and_affixes_vary():
    texts = [question.text for _, question, *_ in _asked("exists", "freely", 600)]
    assert {text[-1] in "?.!" for text in texts} == {True, False}
    assert any(text.endswith("??") for text in texts)
    assert {text[0].isupper() for text in texts} == {True, False}
    assert any("please" in text.lower() for text in texts)
    plain = [text.split()[0].lower() in ("is", "do", "does", "can", "are") for text in texts]
    assert 0.3 < sum(plain) / len(plain) < 0.9


def test_plain_questions_have_nothing_around_them():
    for key in KINDS:
        for _, question, *_ in _asked(key, "plainly", 100):
            assert re.fullmatch(r"[A-Z][a-z ]+\?", question.text), question.text


# What a wording is once nothing stands around it that training may put there.
def _core(words):
    text = re.sub(r"\b(what|where)(?:'s|s\b)", r"\1 is", " ".join(words))
    return " ".join(w for w in re.findall(r"{\w+}|[a-z]+", text) if w not in ("a", "an", "the"))


def _around(patterns):
    return {_core([text]) for pattern in patterns for text in spread(pattern)} | {""}


def _taught(text, cores, before, after):
    """Whether a wording is one of training's, with at most one stray word taken out."""
    words = _core([text]).split()
    stray = [i for i, word in enumerate(words) if word in phrases.STRAY]
    for rest in (words, *(words[:i] + words[i + 1 :] for i in stray)):
        for begin in range(len(rest)):
            for end in range(begin + 1, len(rest) + 1):
                front, back = " ".join(rest[:begin]), " ".join(rest[end:])
                if front in before and back in after and " ".join(rest[begin:end]) in cores:
                    return True
    return False


def test_the_35_novel_wordings_are_none_of_training():
    assert sum(map(len, NOVEL.values())) == 35
    assert set(NOVEL) == set(phrases.PATTERNS)
    cores = {_core([text]) for key in phrases.PATTERNS for text in _wordings(key)}
    front = phrases.PREFIXES + phrases.BEFORE_ASKING + phrases.BEFORE_REQUEST
    before, after = _around(front), _around(phrases.SUFFIXES)
    # The check finds what training does make.
    for made in ("what's this please", "hey, where the {name} is", "tell me what is on card here"):
        assert _taught(made, cores, before, after), made
    assert _taught("do you um see {a}", cores, before, after)
    for texts in NOVEL.values():
        for text in texts:
            assert not _taught(text, cores, before, after), text


def test_novel_wordings_use_words_of_the_vocabulary():
    known = set(vocabulary())
    for texts in NOVEL.values():
        for text in texts:
            assert set(_words(re.sub(r"{\w+}", "", text))) <= known, text


def test_the_novel_set_asks_every_kind_in_novel_wordings_only():
    asked = held_out(120, "novel", seed=3)
    assert {one.question.kind for one in asked} == set(KINDS)
    shapes = [
        re.compile(re.sub(r"\\{\w+\\}", r"[a-z ]+", re.escape(text)) + r"\?", re.IGNORECASE)
        for texts in NOVEL.values()
        for text in texts
    ]
    assert all(any(shape.fullmatch(one.question.text) for shape in shapes) for one in asked)


def test_the_same_chance_gives_the_same_questions():
    scene, kinds = sample_scene(4), dict.fromkeys(KINDS, 1.0)
    first, second = (ask_many(scene, 20, Random(9), kinds) for _ in range(2))  # noqa: S311
    assert first == second


def test_a_scene_that_allows_none_of_the_kinds_is_passed_over() -> None:
    crowd = sample_scene(3, SceneRules(crowds=(0, 0, 0, 1), card=0.0))
    rng = Random(0)  # noqa: S311 - questions, not secrets
    assert ask_many(crowd, 4, rng, {"what": 1.0, "read": 1.0}) == []
    asked = held_out(5, "scenes", seed=4, kinds=("what",))
    assert [one.question.kind for one in asked] == ["what"] * 5
