"""The shipped model answers questions about scenes that its training never used."""

import json

import pytest
from PIL import Image

from pruneviz.scenes.questions import Question
from pruneviz.shipped import assets_dir
from training.evaluate import answer, evaluate, load
from training.held_out import Asked, held_out
from training.pruned import accuracy_under_pruning

FOLDER = assets_dir()
# Kinds that the model card claims, with a floor far above chance and below what is measured.
CLAIMED = {"what": 0.85, "category": 0.8, "read": 0.8, "exists": 0.8, "colour": 0.8}


@pytest.fixture(scope="module")
def shipped():
    return load(FOLDER / "embedded")


def test_folder_is_small():
    size = sum(f.stat().st_size for f in (FOLDER / "embedded").iterdir())
    assert size < 60e6


@pytest.mark.slow
def test_claimed_kinds_are_answered(shipped):
    asked = held_out(64, "scenes", seed=900, kinds=tuple(CLAIMED))
    scores = evaluate(*shipped, asked)
    for kind, floor in CLAIMED.items():
        score = scores[kind]
        assert score.right / score.total >= floor, (kind, str(score))


@pytest.mark.slow
def test_examples_are_answered_as_they_say(shipped):
    rows = json.loads((FOLDER / "examples" / "examples.json").read_text(encoding="utf-8"))
    assert len(rows) >= 6
    asked, expected = [], []
    for row in rows:
        assert len(row["questions"]) >= 2
        with Image.open(FOLDER / "examples" / row["image"]) as source:
            picture = source.convert("RGB")
        asked += [Asked(picture, Question("", one["text"], "")) for one in row["questions"]]
        expected += [one["answer"] for one in row["questions"]]
    assert answer(*shipped, asked) == expected


@pytest.mark.slow
def test_measuring_under_pruning_starts_from_the_plain_answers(shipped):
    asked = held_out(8, "scenes", seed=901)
    said = answer(*shipped, asked)
    right = sum(text == one.question.answer for text, one in zip(said, asked, strict=True))
    rows = accuracy_under_pruning(*shipped, asked, ("transprune", "fopru"), (1.0, 0.01))
    at = {(row["method"], row["keep_ratio"]): row["right"] for row in rows}
    assert at["transprune", 1.0] == at["fopru", 1.0] == right
    assert at["fopru", 0.01] < right
