"""Content words of a question, for several kinds of tokenizer."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from pruneviz.models.core.words import content_tokens, is_content_word

CORPUS = [
    "What colour is the umbrella on the left of the photograph? ASSISTANT: USER:",
    "Is there a zebra near the fire-hydrant? Describe the don't giraffe's photo briefly.",
    "Answer the question using a single word or phrase. How many red buses are there?",
    "Crème brûlée, Straße, 12 apples; grass-green handbag",
    "<|im_start|>user\n <|im_end|>\n<|im_start|>assistant\n [INST] [/INST] USER: ASSISTANT:",
]
SPECIAL = ["<unk>", "<s>", "</s>", "<image>", "<|im_start|>", "<|im_end|>"]


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=SPECIAL[0])


def word_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=SPECIAL))
    return wrap(tokenizer)


def byte_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return wrap(tokenizer)


def metaspace() -> PreTrainedTokenizerFast:
    """As Llama's sentencepiece: a prefix space that decoding takes away again."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[0], byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=SPECIAL + fallback, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return wrap(tokenizer)


TOKENIZERS = {"word": word_level(), "byte": byte_level(), "meta": metaspace()}


def chosen(tokenizer: Any, text: str) -> str:
    """The text of the marked tokens, spaces squeezed."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    marks = content_tokens(tokenizer, ids)
    assert len(marks) == len(ids)
    kept = [i for i, mark in zip(ids, marks, strict=True) if mark]
    return " ".join(tokenizer.decode(kept).split())


QUESTIONS = [
    ("What colour is the umbrella on the left of the photograph?", "colour umbrella"),
    ("Is there a zebra near the giraffe?", "zebra giraffe"),
    (
        "Answer the question using a single word or phrase. How many red buses are there?",
        "red buses",
    ),
    ("Describe the photo briefly.", ""),
    ("What is on the left?", ""),
    ("", ""),
]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(("question", "wanted"), QUESTIONS)
@pytest.mark.parametrize("template", ["{}", "\n{} ASSISTANT:", "USER: {} ASSISTANT:"])
def test_content_words(kind: str, question: str, wanted: str, template: str) -> None:
    got = chosen(TOKENIZERS[kind], template.format(question))
    assert got.replace(" ", "") == wanted.replace(" ", "")


@pytest.mark.parametrize("kind", ["byte", "meta"])
@pytest.mark.parametrize(
    "template",
    [
        "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        "[INST] {} [/INST]",
        "<s> {} </s>",
    ],
)
def test_template_words_are_left_out(kind: str, template: str) -> None:
    text = template.format("Where is the zebra?")
    assert chosen(TOKENIZERS[kind], text).replace(" ", "") == "zebra"


@pytest.mark.parametrize("kind", ["byte", "meta"])
@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("the crème brûlée", "crèmebrûlée"),
        ("Is it grass-green?", "grass-green"),
        ("the 12 apples", "12apples"),
        ("don't isn't what\u2019s the giraffe's", "giraffe's"),
    ],
)
def test_accents_hyphens_numbers_and_apostrophes(kind: str, question: str, wanted: str) -> None:
    assert chosen(TOKENIZERS[kind], question).replace(" ", "") == wanted


def test_case_and_typographic_apostrophes() -> None:
    assert not is_content_word("WHAT")
    assert not is_content_word("What\u2019s")
    assert not is_content_word("Image")
    assert is_content_word("Umbrella")
    assert is_content_word("ümbrella")


def test_no_ids() -> None:
    for tokenizer in TOKENIZERS.values():
        assert content_tokens(tokenizer, []) == []


def steps(tokenizer: Any, count: int) -> int:
    """Lines of Python run to mark `count` words: the same on every machine, fast or slow."""
    text = " ".join(["umbrella", "the", "zebra", "of"] * (count // 4))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    lines = 0

    def count_line(_frame: Any, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count_line

    before = sys.gettrace()
    sys.settrace(count_line)
    try:
        marks = content_tokens(tokenizer, ids)
    finally:
        sys.settrace(before)
    assert any(marks)
    assert not all(marks)
    return lines


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_work_grows_with_the_words_and_no_faster(kind: str) -> None:
    few, many = (steps(TOKENIZERS[kind], count) for count in (400, 4000))
    assert few > 0
    assert many < 12 * few
