"""The tokenizer reads what is asked and writes what is answered."""

from random import Random

from pruneviz.scenes.questions import KINDS, ask_many
from pruneviz.scenes.scene import sample_scene
from training.tokenizer import build_tokenizer


def _questions():
    for seed in range(150):
        yield from ask_many(sample_scene(seed), 4, Random(seed), dict.fromkeys(KINDS, 1.0))  # noqa: S311


def test_no_question_or_answer_has_an_unknown_word():
    tokenizer = build_tokenizer()
    for question in _questions():
        for text in (question.text, question.answer):
            assert tokenizer.unk_token_id not in tokenizer.encode(text)


def test_answers_survive_the_round_trip_and_grow_by_appending():
    tokenizer = build_tokenizer()
    for question in _questions():
        ids = tokenizer.encode(question.answer, add_special_tokens=False)
        assert tokenizer.decode(ids) == question.answer
        for end in range(len(ids)):
            assert question.answer.startswith(tokenizer.decode(ids[:end]))


def test_offsets_point_at_the_words():
    tokenizer = build_tokenizer()
    text = "USER: <image>\nWhere is the Zeppelin, or the  Cat? ASSISTANT:"
    encoded = tokenizer(text, return_offsets_mapping=True)
    pieces = [text[a:b].lower() for a, b in encoded["offset_mapping"] if b > a]
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens[0] == "<s>"
    assert pieces == "user : <image> where is the zeppelin , or the cat ? assistant :".split()
    assert [t if t != "<unk>" else "zeppelin" for t in tokens[1:]] == pieces
