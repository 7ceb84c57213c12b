"""Requests of lmms-eval as questions, without lmms-eval."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image

from pruneviz.engine import picture_key
from pruneviz.errors import InputError
from pruneviz.lmms.asked import asked_of

PICTURE = Image.new("RGB", (8, 6), "red")
GREEDY = {"max_new_tokens": 16, "temperature": 0, "do_sample": False, "num_beams": 1, "top_p": 1.0}


def request(*content, settings=None, roles=("user",)):
    """One about a document that has the content as its only message."""
    messages = [{"role": role, "content": list(content)} for role in roles]
    args = ("", lambda doc: messages, GREEDY if settings is None else settings, 3, "gqa", "test")
    return SimpleNamespace(args=args)


def image(url=PICTURE):
    return {"type": "image", "url": url}


def text(words):
    return {"type": "text", "text": words}


DOCUMENTS = {"gqa": {"test": {3: {}}}}


def test_a_question_keeps_its_lines() -> None:
    asked = asked_of(request(image(), text(" Is it  red?\nAnswer briefly.")), DOCUMENTS, 128)
    assert asked.case.question == "Is it red?\nAnswer briefly."
    assert asked.case.name == "gqa 3"
    assert asked.max_new_tokens == 16
    assert asked.case.picture.digest() == picture_key(PICTURE)


@pytest.mark.parametrize(
    ("settings", "longest"), [({}, 128), ({"max_gen_toks": 7}, 7), ({"max_new_tokens": 9}, 9)]
)
def test_how_long_an_answer_may_be(settings, longest) -> None:
    asked = asked_of(request(image(), text("What?"), settings=settings), DOCUMENTS, 128)
    assert asked.max_new_tokens == longest


def test_a_length_below_1_is_refused() -> None:
    with pytest.raises(InputError, match="max_new_tokens of the task 'gqa'"):
        asked_of(request(image(), text("What?"), settings={"max_new_tokens": -3}), DOCUMENTS, 128)


def test_answers_end_where_the_task_says() -> None:
    settings = {"until": ["\n\n", "", "ASSISTANT:"]}
    asked = asked_of(request(image(), text("What?"), settings=settings), DOCUMENTS, 128)
    assert asked.cut("a cat\n\nUSER: ASSISTANT: a dog") == "a cat"
    assert asked.cut(" a cat ASSISTANT:") == "a cat"
    asked = asked_of(request(image(), text("What?"), settings={"until": None}), DOCUMENTS, 128)
    assert asked.cut("a\n\nb") == "a\n\nb"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([text("What?")], "no image"),
        ([image(), image(), text("What?")], "image, image"),
        ([{"type": "video", "url": "a.mp4"}, text("What?")], "video"),
    ],
)
def test_only_one_image_each(content, told) -> None:
    with pytest.raises(InputError, match=told):
        asked_of(request(*content), DOCUMENTS, 128)


def test_only_one_message() -> None:
    asked = request(image(), text("What?"), roles=("system", "user"))
    with pytest.raises(InputError, match="2 messages"):
        asked_of(asked, DOCUMENTS, 128)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": True, "temperature": 0.7},
        {"temperature": 0.2},
        {"num_beams": 4, "do_sample": False},
    ],
)
def test_only_greedily(settings) -> None:
    with pytest.raises(InputError, match="greedily"):
        asked_of(request(image(), text("What?"), settings=settings), DOCUMENTS, 128)


def test_a_temperature_that_nothing_reads_is_let_pass() -> None:
    settings = {"temperature": 1.0, "do_sample": False}
    assert asked_of(request(image(), text("What?"), settings=settings), DOCUMENTS, 128)
