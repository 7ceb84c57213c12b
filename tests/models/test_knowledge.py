"""What a model knows: words, strange pictures, claims."""

import dataclasses
import json
import math
from pathlib import Path

import gradio
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from pruneviz.engine import Session
from pruneviz.models import load_model
from pruneviz.models.core.familiar import (
    BUSY,
    CLEAR_ENOUGH,
    EMPTY,
    MANY,
    UNCLEAR,
    Familiar,
    connected,
)
from pruneviz.models.core.knowledge import OTHER_FORM, SEVERAL, TYPOS, Knowledge, load_knowledge
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import SMALL, TEST_SEEDS, SceneRules, sample_scene
from pruneviz.shipped import assets_dir
from tests.folders import copy_embedded

PHOTOS = Path(gradio.__file__).parent / "media_assets" / "images"


def _familiar(clear: float = 3.0, most: float = 0.5) -> Familiar:
    """Two classes, at 4 on either axis; what is within 1 of 0 is background."""
    numbers = [torch.tensor(v) for v in (1.0, clear, most)]
    classes = torch.tensor([[4.0, 0, 0, 0], [0, 4.0, 0, 0]])
    return Familiar(torch.zeros(8, 4), numbers[0], torch.eye(4), classes, numbers[1], numbers[2])


def _seen(*tokens: tuple[float, float]) -> torch.Tensor:
    """Eight tokens, these first and then background."""
    visual = torch.zeros(8, 4)
    for row, (x, y) in enumerate(tokens):
        visual[row, 0], visual[row, 1] = x, y
    return visual


@pytest.fixture
def known() -> Knowledge:
    accuracy = {"what": 0.97, "count": 0.95, "read": 0.5, "exists": 0.99}
    words = frozenset({"where", "is", "the", "cat", "dog"})
    novel = {"what": 0.91, "exists": 0.9}
    return Knowledge(words, accuracy, _familiar(), novel)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model())


def test_only_what_exceeds_the_bar_is_claimed(known) -> None:
    assert known.claims == ("what",)


def test_unknown_words_are_named_once_and_in_order(known) -> None:
    asked = "Where is the Giraffe, the zebra-like giraffe?"
    assert known.unknown_words(asked) == ["giraffe", "zebra-like"]
    assert known.unknown_words("Where is the cat?") == []


def test_clearness_is_the_mean_margin_of_the_tokens_of_things() -> None:
    pictures = _familiar()
    root = 2**0.5
    assert pictures.things(_seen((4, 0), (0.5, 0.5), (0, 2))).tolist() == [
        *(True, False, True),
        *[False] * 5,
    ]
    # Of (4, 0) the one class is 0 and the other 4 root 2 away, of (3, 3) both are as far.
    assert pictures.clearness(_seen((4, 0), (3, 3))) == pytest.approx(4 * root / 2)
    # A token that could not be clearer counts no more than the cap says.
    whitened = dataclasses.replace(pictures, classes=3 * pictures.classes)
    assert whitened.clearness(_seen((12, 0))) == pytest.approx(CLEAR_ENOUGH)
    assert math.isnan(pictures.clearness(_seen()))


def test_pictures_are_doubted_for_one_reason_each(known) -> None:
    asked = "Where is the cat?"
    assert known.hints(asked, _seen((4, 0), (0, 4))) == ()
    assert known.hints(asked, _seen()) == (EMPTY,)
    assert known.hints(asked, _seen((4, 0), (3, 3))) == (UNCLEAR,)
    assert known.hints(asked, _seen(*[(3, 3)] * 4)) == (UNCLEAR,)
    assert known.hints(asked, _seen(*[(3, 3)] * 5)) == (BUSY,)
    assert known.hints(asked, _seen(*[(4, 0)] * 5)) == (), "one large thing"
    assert known.hints(asked, torch.zeros(9, 4)) == (), "another number of tokens"


def test_question_and_picture_are_doubted_together(known) -> None:
    hints = known.hints("Why is the giraffe where it is?", _seen())
    assert "“giraffe”" in hints[0]
    assert hints[1:] == (OTHER_FORM, EMPTY)
    assert known.hints("Is the cat the dog?", _seen((4, 0))) == (OTHER_FORM,)


def test_patches_that_touch_are_one_group() -> None:
    drawn = ["#..##", ".#...", "....#", "#..#.", "#...."]
    things = torch.tensor([mark == "#" for row in drawn for mark in row])
    groups = connected(things)
    assert (groups > 0).equal(things)
    inside = groups[things].tolist()
    # Top left and the patch at its corner; top right; a diagonal; two on the left.
    assert [inside.count(number) for number in dict.fromkeys(inside)] == [2, 2, 2, 2]
    long = torch.ones(9, 9, dtype=torch.bool)
    long[1::4, :-1] = long[3::4, 1:] = False
    assert len(connected(long.flatten()).unique()) == 2, "a snake, and what is outside"


@pytest.fixture(scope="module")
def apart(session):
    """Hints for a question about a made scene."""

    def hints(question: str, seed: int, rules: SceneRules) -> tuple[str, ...]:
        picture = render(sample_scene(TEST_SEEDS[0] + seed, rules))[0]
        return session.prepare(picture, question).hints

    return hints


def test_a_question_about_one_thing_gets_a_hint_where_there_are_several(apart) -> None:
    # 196 of 200 scenes with several things, and 1 of 200 with one.
    told = {
        rules: [apart("What can you see?", seed, rules) for seed in range(7_100, 7_115)]
        for rules in (SceneRules(crowds=(1.0,)), SceneRules(crowds=(0, 1, 1, 1, 1)))
    }
    one, several = told.values()
    hint = (SEVERAL.format("thing"),)
    assert sum(found == hint for found in one) <= 1
    assert sum(found == hint for found in several) >= 13


def test_so_do_a_category_and_a_thing_of_which_there_are_several(session) -> None:
    zoo, cat = (assets_dir() / "examples" / f"{name}.png" for name in ("zoo", "cat"))
    hinted = {
        "Which animal is there?": "animal",
        "Where is the frog?": "frog",
        "What is next to the frog?": "frog",
        "Where is the lion?": "",
        "Which toy is there?": "",
        "How many frogs are there?": "",
    }
    for question, several in hinted.items():
        expected = (SEVERAL.format(several),) if several else ()
        assert session.prepare(zoo, question).hints == expected, question
    for question in ("What can you see?", "Which animal is there?", "Where is the cat?"):
        assert session.prepare(cat, question).hints == ()


def test_more_things_than_were_taught_are_doubted() -> None:
    here = Familiar(*(getattr(_familiar(), name) for name in Familiar._names()))
    wide = dataclasses.replace(here, background=torch.zeros(256, 4))
    visual = torch.zeros(16, 16, 4)
    visual[::4, ::4, 0] = 4
    visual[4:, 8:, 0] = 0
    apart = visual.flatten(0, 1)
    assert len(wide.found(apart)) == 10
    assert wide.doubt(apart) == MANY
    visual[0, 0] = 0
    assert wide.doubt(apart) is None
    assert set(wide.found(apart)) == {0}


def test_two_words_with_a_letter_wrong_are_too_many(session) -> None:
    cat = assets_dir() / "examples" / "cat.png"
    assert session.prepare(cat, "Wher is the cat").hints == ()
    (hint,) = session.prepare(cat, "Wher is the octpus").hints
    assert hint == TYPOS.format("“wher”, “octpus”")


def test_a_hint_quotes_the_beginning_of_a_long_word(known) -> None:
    hint = known.hints("Where is the " + "zx" * 1500, _seen((4, 0)))[0]
    assert "“zxzxzxzxzxzxzxzxzxzxzxzx…”" in hint
    assert len(hint) < 100


def test_what_is_written_is_read_again(tmp_path) -> None:
    _familiar(2.5).save(tmp_path / "familiar.safetensors")
    again = Familiar.load(tmp_path / "familiar.safetensors")
    assert float(again.clear) == 2.5
    assert again.background.dtype == torch.float32
    assert again.clearness(_seen((4, 0))) == _familiar().clearness(_seen((4, 0)))


def test_nothing_is_known_of_other_folders(tmp_path) -> None:
    assert load_knowledge(tmp_path) is None


@pytest.mark.parametrize("name", ["lion.jpg", "cheetah1.jpg", "bus.png", "tower.jpg"])
def test_a_photograph_gets_a_hint(session, name) -> None:
    prepared = session.prepare(PHOTOS / name, "What is this?")
    assert prepared.hints
    assert all("photographs" in hint for hint in prepared.hints)


def test_so_do_pages_of_text_and_noise(session) -> None:
    page = Image.new("RGB", (400, 300), "white")
    for line in range(12):
        ImageDraw.Draw(page).text((10, 10 + 24 * line), "These words are many. " * 3, "black")
    values = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    for picture in (page, Image.fromarray(values)):
        assert session.prepare(picture, "What is this?").hints


def test_so_does_a_picture_of_nothing(session) -> None:
    picture = Image.new("RGB", (64, 64), "teal")
    assert session.prepare(picture, "What is this?").hints == (EMPTY,)


def test_drawn_scenes_hardly_ever_get_one(session) -> None:
    seeds = range(TEST_SEEDS[0] + 7_000, TEST_SEEDS[0] + 7_030)
    told = []
    for rules in (None, SMALL):
        for seed in seeds:
            picture = render(sample_scene(seed, rules))[0]
            told.append(session.prepare(picture, "How many objects are there?").hints != ())
    assert sum(told) <= 2


def test_the_examples_of_the_page_get_none(session) -> None:
    folder = assets_dir() / "examples"
    for row in json.loads((folder / "examples.json").read_text(encoding="utf-8")):
        for one in row["questions"]:
            assert session.prepare(folder / row["image"], one["text"]).hints == (), one


def test_an_unknown_word_gets_a_hint(session) -> None:
    picture = Image.new("RGB", (64, 64), "teal")
    hints = session.prepare(picture, "Where is the giraffe?").hints
    assert any("“giraffe”" in hint for hint in hints)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("knowledge.json", b""),
        ("knowledge.json", b"[]"),
        ("knowledge.json", b"null"),
        ("knowledge.json", b"{}"),
        ("knowledge.json", b'{"words": "cat"}'),
        ("knowledge.json", b'{"words": [3]}'),
        ("knowledge.json", b'{"words": ["cat"], "accuracy": 3}'),
        ("knowledge.json", b'{"words": ["cat"], "accuracy": {"scenes": {"what": [1, 0]}}}'),
        ("knowledge.json", b'{"words": ["cat"], "accuracy": {"scenes": {"what": ["a", 2]}}}'),
        ("knowledge.json", bytes(range(256))),
        ("familiar.safetensors", b""),
        ("familiar.safetensors", b"x" * 100),
        ("familiar.safetensors", {"background": None}),
        ("familiar.safetensors", {"background": torch.zeros(9)}),
        ("familiar.safetensors", {"whiten": torch.zeros(3, 4)}),
        ("familiar.safetensors", {"classes": torch.zeros(1, 4)}),
        ("familiar.safetensors", {"classes": torch.tensor(1.0)}),
        ("familiar.safetensors", {"clear": torch.zeros(2)}),
        ("familiar.safetensors", {"radius": torch.tensor(float("nan"))}),
    ],
)
def test_what_is_damaged_is_said_and_left_out(tmp_path, file, content) -> None:
    """The model answers as before, with a hint that says what is missing."""
    folder = tmp_path / "model"
    copy_embedded(folder)
    if isinstance(content, dict):
        held = load_file(folder / file) | content
        save_file({name: value for name, value in held.items() if value is not None}, folder / file)
    else:
        (folder / file).write_bytes(content)
    loaded = load_model(str(folder), device="cpu")
    assert loaded.knowledge is None
    picture = Image.new("RGB", (90, 70), (200, 30, 30))
    (hint,) = Session(loaded).prepare(picture, "what is this?").hints
    assert "What this model was taught cannot be told" in hint
    assert (file in hint) or "safetensors" in hint
