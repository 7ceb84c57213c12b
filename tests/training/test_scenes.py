"""Scenes are the same for the same seed, and what is said of them is true."""

from random import Random

import numpy as np
import pytest

from pruneviz.scenes.questions import KINDS, ask, ask_many
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import SceneRules, sample_scene
from pruneviz.scenes.vocabulary import (
    CARD,
    CLASS_INDEX,
    CLASSES,
    HELD_OUT_STYLE,
    NUMBERS,
    PLACES,
    STYLES,
)
from training.labels import (
    CARD_LABEL,
    label_patches,
    owners_from_boxes,
    owners_from_pixels,
)

SEEDS = range(40)


def test_enough_classes_in_enough_categories_drawn_in_several_styles():
    assert len(CLASSES) >= 60
    assert len({entry.category for entry in CLASSES}) >= 5
    assert len({entry.name for entry in CLASSES}) == len(CLASSES)
    assert set(HELD_OUT_STYLE) <= set(CLASS_INDEX)
    assert len(set(HELD_OUT_STYLE.values()) & set(STYLES)) >= 2


def test_same_seed_same_scene_and_picture():
    for seed in (0, 7):
        assert sample_scene(seed) == sample_scene(seed)
        first, second = render(sample_scene(seed)), render(sample_scene(seed))
        assert np.array_equal(first[0], second[0])
        assert np.array_equal(first[1], second[1])
    assert sample_scene(0) != sample_scene(1)


def test_boxes_hold_the_pixels_they_claim():
    for seed in SEEDS:
        scene = sample_scene(seed)
        _, owner = render(scene)
        for index, item in enumerate(scene.items):
            rows, columns = np.nonzero(owner == index + 1)
            assert len(rows) > 50, "a thing is hidden"
            left, top, right, bottom = (edge * 224 for edge in item.box)
            assert columns.min() >= left - 2
            assert columns.max() <= right + 2
            assert rows.min() >= top - 2
            assert rows.max() <= bottom + 2


def test_place_names_the_ninth_that_holds_the_centre():
    for seed in range(300):
        for item in sample_scene(seed).items:
            row, column = divmod(item.place, 3)
            assert column / 3 <= item.x <= (column + 1) / 3
            assert row / 3 <= item.y <= (row + 1) / 3


def test_held_out_styles_never_appear_in_training_scenes():
    for seed in range(300):
        for item in sample_scene(seed).items:
            assert HELD_OUT_STYLE.get(item.name) != item.style or item.name == CARD
        for item in sample_scene(seed, SceneRules(styles="unseen")).items:
            assert item.name == CARD or HELD_OUT_STYLE[item.name] == item.style


def test_patch_labels_from_pixels_and_from_boxes_agree_mostly():
    same = []
    for seed in SEEDS:
        scene = sample_scene(seed)
        drawn = label_patches(scene, owners_from_pixels(render(scene)[1]))
        guessed = label_patches(scene, owners_from_boxes(scene))
        same.append((drawn.kind == guessed.kind).mean())
        assert drawn.centre.sum() == len(scene.items)
        assert ((drawn.kind == CARD_LABEL) == (drawn.text > 0)).all()
        assert ((drawn.kind == CARD_LABEL) == (drawn.colour > 0)).all()
    assert np.mean(same) > 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_asked_in_several_phrasings(kind):
    asked = [ask(sample_scene(seed), kind, Random(seed)) for seed in range(200)]  # noqa: S311
    texts = {question.text for question in asked if question is not None}
    assert len(texts) >= 4
    assert all(q.answer.endswith(".") for q in asked if q is not None)


def _check(scene, question):
    words = question.answer.rstrip(".").split()
    if question.kind == "exists":
        assert bool(scene.named(words[-1])) == (words[0] == "yes,")
    elif question.kind == "count":
        singular = {entry.plural: entry.name for entry in CLASSES}
        name = singular.get(words[-1], words[-1])
        assert NUMBERS.index(words[2]) == len(scene.named(name))
    elif question.kind == "total":
        assert NUMBERS.index(words[2]) == len(scene.items)
    elif question.kind == "where" and words[0] == "the":
        place = " ".join(words[5:])
        (item,) = scene.named(words[1])
        assert PLACES[item.place] == place
    elif question.kind in ("what", "category", "relation"):
        assert scene.named(words[-1])
    elif question.kind == "read":
        assert scene.named(CARD)[0].text == words[-1]
    elif question.kind == "colour":
        assert scene.named(CARD)[0].colour == words[-1]


def test_answers_are_true():
    for seed in range(300):
        scene = sample_scene(seed)
        for question in ask_many(scene, 6, Random(seed), dict.fromkeys(KINDS, 1.0)):  # noqa: S311
            _check(scene, question)


def test_exists_is_balanced():
    asked = [ask(sample_scene(seed), "exists", Random(seed)) for seed in range(600)]  # noqa: S311
    share = np.mean([question.answer.startswith("yes") for question in asked])
    assert 0.42 < share < 0.58
