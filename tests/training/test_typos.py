"""A question with one letter wrong still asks the same."""

import re
from dataclasses import replace
from random import Random

import torch

from pruneviz.scenes.questions import KINDS, ask_many
from pruneviz.scenes.scene import SceneRules, sample_scene
from pruneviz.scenes.vocabulary import CLASSES
from training.held_out import held_out
from training.lessons import Alike, Plan
from training.settings import Settings
from training.tokenizer import build_tokenizer, vocabulary
from training.typos import SHORTEST, misspell, with_typos

THINGS = {w for entry in CLASSES for w in (entry.name, entry.plural, *entry.synonyms)}


def _questions(count=1200):
    kinds = dict.fromkeys(KINDS, 1.0)
    rng = Random(5)  # noqa: S311 - not secret
    return [q for seed in range(count // 4) for q in ask_many(sample_scene(seed), 4, rng, kinds)]


def _changed(first, second):
    one, other = (re.findall("[a-z]+", q.text.lower()) for q in (first, second))
    assert len(one) == len(other)
    return [(a, b) for a, b in zip(one, other, strict=True) if a != b]


def _one_letter_off(old, new):
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return len(old + new) == 1 or len(old) == len(new) == 1 or (len(old) == 2 and old == new[::-1])


def test_one_long_word_changes_by_one_letter():
    questions = _questions()
    names = 0
    known = set(vocabulary())
    for first, second in zip(
        questions,
        with_typos(questions, Random(1), 1.0),  # noqa: S311
        strict=True,
    ):
        assert (first.kind, first.answer) == (second.kind, second.answer)
        changed = _changed(first, second)
        assert len(changed) <= 1
        for old, new in changed:
            assert len(old) >= SHORTEST
            assert abs(len(old) - len(new)) <= 1
            assert new not in known
            assert _one_letter_off(old, new), (old, new)
            names += old in THINGS
    assert 0.2 < names / len(questions) < 0.6


def test_every_way_to_slip_happens():
    rng = Random(2)  # noqa: S311
    found = {misspell("elephant", rng) for _ in range(300)} - {None}
    assert {len(word) - len("elephant") for word in found} == {-1, 0, 1}
    swapped = [word for word in found if sorted(word) == sorted("elephant")]
    assert swapped


def test_a_typo_that_could_be_another_thing_is_not_made():
    rng = Random(3)  # noqa: S311
    found = {misspell("pear", rng) for _ in range(500)} - {None}
    assert found
    assert "bear" not in found
    # One letter off "pear" and "bear" both.
    assert not [word for word in found if re.fullmatch("[a-z]ear|ear", word)]


def test_the_share_is_kept_and_none_leaves_all_as_it_is():
    questions = _questions()
    assert with_typos(questions, Random(1), 0.0) == questions  # noqa: S311
    made = with_typos(questions, Random(1), Settings().typos)  # noqa: S311
    share = sum(a != b for a, b in zip(questions, made, strict=True)) / len(questions)
    assert 0.04 < share < 0.12


def test_a_typo_is_read_by_its_letters():
    tokenizer = build_tokenizer()
    for one in held_out(60, "typos", seed=2):
        assert tokenizer.unk_token_id not in tokenizer.encode(one.question.text)
    texts = [one.question.text for one in held_out(60, "scenes", seed=2)]
    typed = [one.question.text for one in held_out(60, "typos", seed=2)]
    assert sum(a != b for a, b in zip(texts, typed, strict=True)) >= 8


def test_a_lesson_has_as_many_typos_as_its_plan_says():
    # One scene a step: its questions are the same until one of them is misspelt.
    plan = Plan(5, 1, 1, SceneRules(), 6, dict.fromkeys(KINDS, 1.0))
    right, wrong = (Alike(replace(plan, typos=share))[0] for share in (0.0, 1.0))
    assert torch.equal(right.kinds, wrong.kinds)
    answers = [lesson.packed.targets[lesson.packed.targets >= 0] for lesson in (right, wrong)]
    assert torch.equal(*answers)
    first = len(vocabulary()) - 36
    assert vocabulary()[first] == "##a"
    assert (wrong.packed.tail >= first).sum() >= 6 > (right.packed.tail >= first).sum() == 0
