"""What a model knows: words, strange pictures, claims."""

from pathlib import Path

import gradio
import pytest
import torch
from PIL import Image

from pruneviz.engine import Session
from pruneviz.models import load_model
from pruneviz.models.core.knowledge import Knowledge, load_knowledge
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import TEST_SEEDS, sample_scene

PHOTOS = Path(gradio.__file__).parent / "media_assets" / "images"


@pytest.fixture
def known() -> Knowledge:
    accuracy = {"what": 0.97, "count": 0.95, "read": 0.5, "exists": 0.99}
    words = frozenset({"where", "is", "the", "cat"})
    novel = {"what": 0.91, "exists": 0.9}
    return Knowledge(words, accuracy, torch.zeros(8, 4), torch.eye(4), 1.0, novel)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model())


def test_only_what_exceeds_the_bar_is_claimed(known) -> None:
    assert known.claims == ("what",)


def test_unknown_words_are_named_once_and_in_order(known) -> None:
    asked = "Where is the Giraffe, the zebra-like giraffe?"
    assert known.unknown_words(asked) == ["giraffe", "zebra-like"]
    assert known.unknown_words("Where is the cat?") == []


def test_strangeness_is_the_median_distance(known) -> None:
    visual = torch.zeros(8, 4)
    visual[4:] = 3.0
    # Half of the tokens lie at 0, half at 6.
    assert known.strangeness(visual) == pytest.approx(3)
    assert known.hints("Where is the cat?", torch.zeros(8, 4)) == ()
    assert len(known.hints("Where is the dog?", torch.full((8, 4), 9.0))) == 2


def test_nothing_is_known_of_other_folders(tmp_path) -> None:
    assert load_knowledge(tmp_path) is None


@pytest.mark.parametrize("name", ["lion.jpg", "cheetah1.jpg", "bus.png", "tower.jpg"])
def test_a_photograph_gets_a_hint(session, name) -> None:
    prepared = session.prepare(PHOTOS / name, "What is this?")
    assert any("photographs" in hint for hint in prepared.hints)


def test_drawn_scenes_get_none(session) -> None:
    for seed in range(TEST_SEEDS[0] + 7_000, TEST_SEEDS[0] + 7_030):
        picture = render(sample_scene(seed))[0]
        assert session.prepare(picture, "How many objects are there?").hints == ()


def test_an_unknown_word_gets_a_hint(session) -> None:
    picture = Image.new("RGB", (64, 64), "teal")
    hints = session.prepare(picture, "Where is the giraffe?").hints
    assert any("“giraffe”" in hint for hint in hints)
