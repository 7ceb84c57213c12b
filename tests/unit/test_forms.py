"""Which questions have a form that was taught, and which words are known."""

import json
from random import Random

import pytest

from pruneviz.scenes import phrases
from pruneviz.scenes.forms import ANY, alone, is_taught, misspelt, unknown
from pruneviz.scenes.questions import KINDS, ask_many
from pruneviz.scenes.saying import fill, spread
from pruneviz.scenes.scene import TEST_SEEDS, sample_scene
from pruneviz.scenes.spelling import LOOKALIKES, SHORTEST, edits, meanings
from pruneviz.shipped import assets_dir
from training.novel import NOVEL
from training.typos import with_typo

WORDS = json.loads((assets_dir() / "embedded" / "knowledge.json").read_text("utf-8"))["words"]
KNOWN = frozenset(WORDS)
SLOTS = {
    "name": "cat",
    "a": "a cat",
    "plural": "cats",
    "category": "animal",
    "at": "at the top left",
}
OTHERS = """
is the cat happy
is the cat on the left
is the cat in a corner
why is the dog here
is there an animal
list all objects
what is between the cat and the dog
how big is the cat
is the card red
write a poem about the cat
is the dog to the right of the cat
what color is the cat
what is the cat doing
are there two more cats
is there a cat and a dog
which is bigger, the cat or the dog
describe the cat
does the card say stop
which animal is on the left
how many objects are on the left
is there a red card
what is your name
who are you
what is the color of the background
name all things in the picture
are there three cats
what is in the corner next to the cat
what does the dog say
where is the milk
how many cards are there
count the cards
who drew this picture
who made this
do you like the horse
will the lion call
do you want a cat
is every cat here
what is at the top and at the bottom
""".strip().splitlines()


@pytest.mark.parametrize(
    ("kind", "side"),
    [(k, s) for k in phrases.PATTERNS for s in (phrases.SIDES if k == "relation" else ["left"])],
)
def test_every_trained_wording_has_a_taught_form(kind, side) -> None:
    rng = Random(0)  # noqa: S311 - questions, not secrets
    wordings = sorted({w for pattern in phrases.PATTERNS[kind] for w in spread(pattern)})
    asked = [fill(w, {**SLOTS, "side": side}, rng) for w in wordings]
    assert [q for q in asked if not is_taught(q, KNOWN) or list(unknown(q, KNOWN))] == []


def test_so_have_wordings_that_are_never_trained() -> None:
    rng = Random(0)  # noqa: S311 - questions, not secrets
    patterns = [p for several in NOVEL.values() for p in several]
    asked = [fill(p, {**SLOTS, "side": "above"}, rng) for p in patterns]
    assert [q for q in asked if not is_taught(q, KNOWN) or list(unknown(q, KNOWN))] == []


def _asked(count: int, seed: int):
    rng = Random(seed)  # noqa: S311 - questions, not secrets
    for scene in (sample_scene(TEST_SEEDS[0] + seed + i) for i in range(count)):
        yield from ((q, rng) for q in ask_many(scene, 5, rng, dict.fromkeys(KINDS, 1.0)))


def test_what_people_put_around_them_does_not_matter() -> None:
    asked = [q.text for q, _ in _asked(200, 8_000)]
    assert [q for q in asked if not is_taught(q, KNOWN) or list(unknown(q, KNOWN))] == []


def test_hardly_any_typo_does() -> None:
    asked = [with_typo(q, rng).text for q, rng in _asked(200, 9_000)]
    bad = [q for q in asked if not is_taught(q, KNOWN) or list(unknown(q, KNOWN))]
    # Some are words of their own: a lace is no place.
    assert len(bad) <= 0.015 * len(asked), bad


@pytest.mark.parametrize("question", OTHERS)
def test_other_forms_are_told(question) -> None:
    assert not is_taught(f"{question.capitalize()}?", KNOWN)


@pytest.mark.parametrize("question", ["", "  ", "?", "Wo ist die Katze?", "Где эта кошка?"])
def test_nothing_and_other_languages_are_no_taught_form(question) -> None:
    assert not is_taught(question, KNOWN)


@pytest.mark.parametrize("form", ["where is the {}", "is there a {}", "what is above the {}"])
def test_things_of_no_class_are_unknown_words_in_a_taught_form(form) -> None:
    things = "giraffe camel mouse moon bag goat house coat hen lamp cloud spoon 猫".split()
    for thing in things:
        question = form.format(thing)
        assert list(unknown(question, KNOWN)) == [thing]
        assert is_taught(question, KNOWN)


def test_a_word_with_one_letter_wrong_means_the_known_one() -> None:
    assert meanings("cat", KNOWN) == ("cat",)
    assert meanings("elefhant", KNOWN) == ("elephant",)
    assert meanings("horsee", KNOWN) == ("horse", "horses")
    # Short words are not guessed at, and real words are not bent.
    assert meanings("cta", KNOWN) == meanings("goat", KNOWN) == ()


def test_each_lookalike_would_be_taken_for_a_known_word() -> None:
    near = {w for w in LOOKALIKES if any(len(e) >= SHORTEST and e in KNOWN for e in edits(w))}
    assert near == LOOKALIKES
    assert not LOOKALIKES & KNOWN


OWN = """
what does the red card say
what is written on the red card
what is printed on the card
what's at the top in the middle
what have you got at the top
what is standing at the left
which thing is at the left on the bottom
is there a cat somewhere
who's this
are there any cards
count every cat
""".strip().splitlines()


@pytest.mark.parametrize("question", OWN)
def test_wordings_of_ones_own_have_a_taught_form(question) -> None:
    assert is_taught(question, KNOWN)
    assert list(unknown(question, KNOWN)) == []


def test_words_with_a_letter_wrong_are_told() -> None:
    assert misspelt("Wher is the octpus", KNOWN) == ["wher", "octpus"]
    assert misspelt("Where is the octpus and the zebra?", KNOWN) == ["octpus"]
    assert misspelt("Somebody gave the octopus what?", KNOWN) == []


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is in the picture?", {ANY}),
        ("What can you see?", {ANY}),
        ("Describe this image.", {ANY}),
        ("Who is this?", {ANY}),
        ("Which creature is there?", {"animal"}),
        ("What snack do you see?", {"food"}),
        ("Where is the kitten?", {"cat"}),
        ("What is left of the sign?", {"card"}),
        ("What color is the note?", {"card"}),
        ("Where is the horsee?", {"horse"}),
        ("How many cats are there?", set()),
        ("How many things are there?", set()),
        ("Is there a cat?", set()),
        ("What is at the top left?", set()),
        ("Where is the giraffe?", set()),
        ("Why?", set()),
    ],
)
def test_what_there_must_be_one_of(question, wanted) -> None:
    assert alone(question, KNOWN) == wanted


def test_training_asks_no_question_that_takes_several_for_one() -> None:
    rng = Random(0)  # noqa: S311 - questions, not secrets
    for seed in range(8_500, 8_700):
        items = sample_scene(TEST_SEEDS[0] + seed).items
        there = [*[i.name for i in items], *[i.category for i in items if i.name != "card"]]
        there = [name for name in there if name != ANY] + [ANY] * len(items)
        for question in ask_many(
            sample_scene(TEST_SEEDS[0] + seed), 5, rng, dict.fromkeys(KINDS, 1.0)
        ):
            wanted = alone(question.text, KNOWN)
            assert not wanted or min(there.count(one) for one in wanted) <= 1, question
