"""The tokenizer reads what is asked and writes what is answered."""

from random import Random
from string import ascii_lowercase, digits

import pytest
from tokenizers import Tokenizer

from pruneviz.scenes.questions import KINDS, ask_many
from pruneviz.scenes.scene import sample_scene
from pruneviz.shipped import assets_dir
from training.tokenizer import (
    LONGEST_WORD,
    PIECE,
    build_tokenizer,
    taught_words,
    vocabulary,
)


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
    text = "USER: <image>\nWhere is the Zoë, or the  Cat? ASSISTANT:"
    encoded = tokenizer(text, return_offsets_mapping=True)
    pieces = [text[a:b].lower() for a, b in encoded["offset_mapping"] if b > a]
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens[0] == "<s>"
    assert pieces == "user : <image> where is the zoë , or the cat ? assistant :".split()
    assert [t if t != "<unk>" else "zoë" for t in tokens[1:]] == pieces


def test_every_known_word_is_one_token():
    tokenizer = build_tokenizer()
    words = [t for t in vocabulary() if t.isalnum()]
    assert len(words) > 750
    for word in words:
        assert tokenizer.tokenize(word) == tokenizer.tokenize(word.upper()) == [word]


def test_unknown_words_are_read_by_letters_and_written_back():
    tokenizer = build_tokenizer()
    assert tokenizer.tokenize("giraffe") == ["g", *("##" + c for c in "iraffe")]
    assert tokenizer.tokenize("catt") == ["cat", "##t"]
    assert tokenizer.tokenize("b7z") == ["b", "##7", "##z"]
    for text in ("where is the girafe?", "cactuss and b7z."):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == text


def test_other_letters_and_very_long_words_are_unknown():
    tokenizer = build_tokenizer()
    for word in ("élan", "кот", "x" * (LONGEST_WORD + 1), "a" * 100_000):
        assert tokenizer.tokenize(word) == ["<unk>"]
    assert "<unk>" not in tokenizer.tokenize("x" * LONGEST_WORD)


def test_every_letter_and_digit_is_a_first_and_a_further_piece():
    tokens = vocabulary()
    assert len(set(tokens)) == len(tokens)
    for sign in ascii_lowercase + digits:
        assert sign in tokens
        assert PIECE + sign in tokens


def test_all_taught_words_are_in_the_vocabulary():
    assert set(taught_words()) <= set(vocabulary())


def test_words_are_only_ever_added_at_the_end():
    # Weights have a row for each: these are rows that they were trained with.
    tokens = vocabulary()
    assert len(tokens) >= 867
    rows = {0: "<pad>", 17: "user", 272: "that", 273: "thing", 769: "ant", 866: "##9"}
    assert {row: tokens[row] for row in rows} == rows
    shipped = Tokenizer.from_file(str(assets_dir() / "embedded" / "tokenizer.json"))
    size = shipped.get_vocab_size()
    if size < 770:
        pytest.skip("these weights are older than the order of words.txt")
    assert [shipped.id_to_token(row) for row in range(size)] == tokens[:size]
