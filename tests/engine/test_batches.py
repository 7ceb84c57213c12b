"""Questions in a batch get what they get alone."""

from __future__ import annotations

import threading
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from pruneviz import get_method
from pruneviz.engine import Session, Settings
from pruneviz.engine.batches import Batch, joined, questions_at_once, shape_of
from pruneviz.methods.registry import METHODS
from pruneviz.scenes.held_out import held_out
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import SceneRules

SHORT = Settings(max_new_tokens=8, signals=False)
SETTINGS = Settings(signals=False)
QUESTIONS = ("Where is the cat?", "Where is the dog?", "Where is the car?")


@pytest.fixture(scope="module")
def questions(session):
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 255, (90, 90, 3), dtype=np.uint8) for _ in QUESTIONS]
    return [session.prepare(*pair) for pair in zip(pictures, QUESTIONS, strict=True)]


def batch(session, questions):
    return Batch(session, questions, SHORT, threading.Event())


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_gives_what_each_gets_alone(session, questions, name) -> None:
    assert len({shape_of(one) for one in questions}) == 1
    method = get_method(name, num_layers=session.num_layers, keep_ratio=0.1)
    with session.alone():
        together = batch(session, questions)
        unpruned = together.unpruned([method])
        answers = together.pruned(method)
    for one, base, answer in zip(questions, unpruned, answers, strict=True):
        alone = session.compare(one, method, SHORT)
        assert base.token_ids == alone.baseline.token_ids
        assert answer.token_ids == alone.pruned.token_ids
        assert np.array_equal(answer.trace.kept, alone.pruned.trace.kept)
        assert answer.trace.tokens_per_layer == alone.pruned.trace.tokens_per_layer
        assert answer.cost.llm_flops == alone.pruned.cost.llm_flops
        scoring = alone.pruned.cost.scoring_flops
        assert answer.cost.scoring_flops == pytest.approx(scoring, rel=0.05, abs=500)


def test_layers_before_the_first_cut_run_once(session, questions) -> None:
    ratios = (0.5, 0.25, 0.1)
    methods = [
        get_method("fastv", num_layers=session.num_layers, keep_ratio=ratio) for ratio in ratios
    ]
    first, ran = session.loaded.adapter.decoder(session.loaded.model).layers[0], []
    handle = first.self_attn.register_forward_pre_hook(
        lambda module, args, kwargs: ran.append(1), with_kwargs=True
    )
    once = Settings(max_new_tokens=1, signals=False)
    with session.alone():
        together = Batch(session, questions, once, threading.Event())
        together.unpruned(methods)
        for method in methods:
            together.pruned(method)
    handle.remove()
    assert len(ran) == 1


def test_other_shapes_stay_apart(session, questions) -> None:
    longer = session.prepare(questions[0].image, "Where is the cat in this picture?")
    assert shape_of(longer) != shape_of(questions[0])


def test_a_row_ends_where_its_own_answer_ends(session) -> None:
    """Answers of other lengths: what fills up the shorter is no part of it."""
    by_shape = defaultdict(list)
    for scene, question in held_out(24, SceneRules()):
        one = session.prepare(render(scene)[0], question.text)
        by_shape[shape_of(one)].append(one)
    asked = max(by_shape.values(), key=len)
    with session.alone():
        answers = Batch(session, asked, SETTINGS, threading.Event()).unpruned()
    for one, answer in zip(asked, answers, strict=True):
        assert answer.token_ids == session.baseline(one, SETTINGS).token_ids
    assert len({len(answer.token_ids) for answer in answers}) > 1


def test_as_many_as_fit(session, questions) -> None:
    assert questions_at_once(session, 16, questions[0]) == 16
    small = Session(session.loaded, memory_bytes=0)
    assert questions_at_once(small, 16, questions[0]) == 1


def test_a_stopped_batch_says_so(session, questions) -> None:
    stop = threading.Event()
    stop.set()
    with session.alone():
        answers = Batch(session, questions, SHORT, stop).unpruned()
    assert all(answer.stopped for answer in answers)


def test_a_joined_question_has_a_row_for_each(questions) -> None:
    whole = joined(questions)
    assert whole.input_ids.shape[0] == whole.visual_mask.shape[0] == len(questions)
    assert whole.vision.counts == (256,) * len(questions)


def test_another_question_does_not_encode_the_picture_again(session, questions) -> None:
    ran = []
    tower = session.loaded.adapter.encoder(session.loaded.model)
    handle = tower.register_forward_hook(lambda *_: ran.append(1))
    fresh = Session(session.loaded)
    image = Image.effect_noise((90, 90), 40)
    first = fresh.prepare(image, QUESTIONS[0])
    second = fresh.prepare(image, "How many cats are there?")
    handle.remove()
    assert len(ran) == 1
    alone = Session(session.loaded).prepare(image, "How many cats are there?")
    assert second.inputs["inputs_embeds"].equal(alone.inputs["inputs_embeds"])
    assert second.vision.hidden.equal(alone.vision.hidden)
    assert second.vision_seconds == first.vision_seconds
