"""The shipped model answers questions about scenes that its training never used."""

import json

import pytest
from PIL import Image

from pruneviz.scenes.questions import Question
from pruneviz.shipped import assets_dir
from training.evaluate import answer, evaluate, load
from training.examples import OPENING, RATIO, try_all
from training.held_out import Asked, held_out
from training.layouts import CROWDS, LAYOUTS
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


@pytest.fixture(scope="module")
def examples():
    return json.loads((FOLDER / "examples" / "examples.json").read_text(encoding="utf-8"))


def test_the_page_opens_with_a_crowd_at_the_ratio_of_the_notes(examples):
    first = examples[0]["questions"][0]
    assert examples[0]["image"] in {f"{layout.name}.png" for layout in CROWDS}
    assert (first["method"], first["keep_percent"]) == (OPENING[0], 100 * RATIO)
    assert {row["image"] for row in examples} == {f"{layout.name}.png" for layout in LAYOUTS}


def _asked(rows):
    for row in rows:
        with Image.open(FOLDER / "examples" / row["image"]) as source:
            picture = source.convert("RGB")
        for one in row["questions"]:
            yield Asked(picture, Question("", one["text"], one["answer"]))


@pytest.mark.slow
def test_examples_are_answered_as_they_say(shipped, examples):
    assert min(len(row["questions"]) for row in examples) >= 2
    asked = list(_asked(examples))
    assert answer(*shipped, asked) == [one.question.answer for one in asked]


@pytest.mark.slow
def test_notes_on_examples_are_what_runs_give(shipped, examples):
    rows = [one for row in examples for one in row["questions"]]
    tried = try_all(*shipped, list(_asked(examples)))
    assert [one.note for one in tried] == [one.get("note", "") for one in rows]
    assert tried[0].opens


@pytest.mark.slow
def test_measuring_under_pruning_starts_from_the_plain_answers(shipped):
    asked = held_out(8, "scenes", seed=901)
    said = answer(*shipped, asked)
    right = sum(text == one.question.answer for text, one in zip(said, asked, strict=True))
    rows = accuracy_under_pruning(*shipped, asked, ("transprune", "fopru"), (1.0, 0.01))
    at = {(row["method"], row["keep_ratio"]): row["right"] for row in rows}
    assert at["transprune", 1.0] == at["fopru", 1.0] == right
    assert at["fopru", 0.01] < right
