"""Scenes are the same for the same seed, and what is said of them is true."""

from random import Random

import numpy as np
import pytest

from pruneviz.scenes.art import training_drawings
from pruneviz.scenes.questions import KINDS, ask, ask_many
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import Item, Scene, sample_scene
from pruneviz.scenes.variation import GENTLE, WILD, squash_of
from pruneviz.scenes.vocabulary import (
    CARD,
    CLASS_INDEX,
    CLASSES,
    CLIPART_STYLES,
    NUMBERS,
    PLACES,
)
from training.labels import (
    CARD_LABEL,
    label_patches,
    owners_from_boxes,
    owners_from_pixels,
)
from training.pack_clipart import drawings
from training.pictures import draw_batch

SEEDS = range(40)


def test_enough_classes_in_enough_categories_drawn_in_several_styles():
    assert len(CLASSES) >= 60
    assert len({entry.category for entry in CLASSES}) >= 5
    assert len({entry.name for entry in CLASSES}) == len(CLASSES)


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


def test_squashed_pictures_stand_for_wide_and_tall_ones_alike():
    shapes = np.array([squash_of(seed) for seed in range(3000)])
    assert squash_of(5) == squash_of(5)
    squashed = shapes[shapes != 1]
    assert 0.36 < len(squashed) / len(shapes) < 0.44
    assert 0.45 < (squashed > 1).mean() < 0.55
    assert 0.05 < (np.maximum(squashed, 1 / squashed) > 2).mean() < 0.2
    assert 1 / 3 <= squashed.min() < 0.4
    assert 2.5 < squashed.max() <= 3


@pytest.mark.parametrize("squash", [0.34, 0.5, 2.0, 3.0])
def test_things_are_squashed_where_they_are(squash):
    """Their middles stay, and a wide picture's things get narrow."""
    ratios = []
    for seed in SEEDS:
        scene = sample_scene(seed)
        plain, squashed = render(scene)[1], render(scene, squash=squash)[1]
        # Of several, some hide others.
        if len(scene.items) > 1:
            continue
        (before, middle), (after, moved) = (_extent(owner) for owner in (plain, squashed))
        assert np.abs(np.array(middle) - moved).max() < 8
        assert squashed.any()
        ratios.append(after[0] / after[1] / (before[0] / before[1]))
    wanted = [1 / squash, 1 / min(max(squash, 0.5), 2)]
    assert min(wanted) * 0.8 < min(ratios) <= max(ratios) < max(wanted) * 1.25


@pytest.mark.parametrize("squash", [0.34, 3.0])
def test_squashed_things_stay_inside_the_picture(squash):
    """At its edge a thing grows less, and so its middle stays."""
    scene = Scene((Item("ball", "noto", 0.06, 0.06, 0.1, 0),), 1)
    size, middle = _extent(render(scene, squash=squash)[1])
    assert np.abs(np.array(middle) - 0.06 * 224).max() < 1.5
    assert max(size) <= 0.12 * 224 + 1
    assert 2.5 < max(size) / min(size) < 3.6


def _extent(owner):
    rows, columns = np.nonzero(owner)
    size = (np.ptp(columns) + 1, np.ptp(rows) + 1)
    return size, ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)


def test_only_training_squashes_and_labels_follow():
    """What is drawn to be shown is as ever; a training picture's labels are of what it shows."""
    seed = next(s for s in range(100) if squash_of(s) > 1.6 and s % 6)
    scene = sample_scene(seed)
    assert np.array_equal(render(scene)[0], render(scene, squash=1.0)[0])
    _, labels = draw_batch([scene], 224)
    vary = WILD if seed % 2 else GENTLE
    owner = render(scene, vary=vary, squash=squash_of(seed))[1]
    expected = label_patches(scene, owners_from_pixels(owner))
    assert np.array_equal(labels["kind"][0].numpy(), expected.kind)
    plain = label_patches(scene, owners_from_pixels(render(scene, vary=vary)[1]))
    assert not np.array_equal(expected.kind, plain.kind)


def test_clip_art_is_of_known_classes_and_fits_its_sheets():
    found = drawings()
    assert set(found) <= set(CLASS_INDEX)
    assert max(map(len, found.values())) == len(CLIPART_STYLES)
    shown = training_drawings()
    for name in CLASS_INDEX:
        assert sum(style in CLIPART_STYLES for style in shown[name]) == len(found.get(name, ()))
    assert all(shown.values())
