"""Small vocabularies of the right kind, in which special tokens have the ids that they really have.

A word is spelt letter by letter, because there are no merges: what a prompt must become can so be
told without any tokenizer (:meth:`Spelling.ids`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from tokenizers import pre_tokenizers

ASCII = {chr(code) for code in range(33, 127)}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Spelling(ABC):
    """A tokenizer of one letter or byte a token.

    Attributes
    ----------
    special : dict of str to int
        Tokens that are never split, with their ids.
    """

    special: dict[str, int]

    @abstractmethod
    def letters(self) -> dict[str, int]:
        """Id of every ordinary token."""

    @abstractmethod
    def spell(self, text: str) -> list[str]:
        """Tokens of the text between two special ones."""

    @abstractmethod
    def pipeline(self) -> dict[str, Any]:
        """What surrounds the model in ``tokenizer.json``."""

    def ids(self, text: str) -> list[int]:
        """Ids of a prompt in which special tokens are written out."""
        letters, found = self.letters(), list[int]()
        pattern = "|".join(map(re.escape, sorted(self.special, key=len, reverse=True)))
        for piece in re.split(f"({pattern})", text):
            if piece in self.special:
                found.append(self.special[piece])
            elif piece:
                found += [letters[token] for token in self.spell(piece)]
        return found

    def file(self) -> dict[str, Any]:
        """``tokenizer.json``."""
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        added = [
            {"id": number, "content": token, "special": True, **flags}
            for token, number in sorted(self.special.items(), key=lambda pair: pair[1])
        ]
        made: dict[str, Any] = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added,
            **self.pipeline(),
        }
        # Special tokens stand in the vocabulary as well: without the words that lie between, they
        # would get other ids.
        made["model"] |= {"type": "BPE", "vocab": self.letters() | self.special, "merges": []}
        return made


class Llama(Spelling):
    """SentencePiece's kind as in Llama 2: a space more before each text, bytes as fallback."""

    def letters(self) -> dict[str, int]:
        found = {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
        return found | {token: 300 + n for n, token in enumerate("▁" + "".join(sorted(ASCII)))}

    def spell(self, text: str) -> list[str]:
        return ["▁", *({" ": "▁", "\n": "<0x0A>"}.get(letter, letter) for letter in text)]

    def pipeline(self) -> dict[str, Any]:
        space = {"pattern": {"String": " "}, "content": "▁"}
        return {
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "Prepend", "prepend": "▁"},
                    {"type": "Replace", **space},
                ],
            },
            "pre_tokenizer": None,
            "post_processor": starting("<s>", 1),
            "decoder": {
                "type": "Sequence",
                "decoders": [
                    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                    {"type": "ByteFallback"},
                    {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                ],
            },
            "model": {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True},
        }


class ByteLevel(Spelling):
    """GPT-2's kind, as in Qwen2; `first` is the lowest id of a byte."""

    first: ClassVar[int] = 0

    def letters(self) -> dict[str, int]:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        return {token: self.first + n for n, token in enumerate(alphabet)}

    def spell(self, text: str) -> list[str]:
        # Beyond letters and marks, prompts here hold spaces and line breaks alone.
        return [{" ": "Ġ", "\n": "Ċ"}.get(letter, letter) for letter in text]

    def split(self) -> list[dict[str, Any]]:
        """Before bytes are looked up."""
        whole = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated"}
        return [{**whole, "invert": False}, BYTE_LEVEL | {"use_regex": False}]

    def pipeline(self) -> dict[str, Any]:
        return {
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": self.split()},
            "post_processor": BYTE_LEVEL | {"use_regex": False},
            "decoder": BYTE_LEVEL | {"use_regex": False},
            "model": {"byte_fallback": False},
        }


class Smol(ByteLevel):
    """As in SmolLM2: digits one by one, and three special tokens before all others."""

    first: ClassVar[int] = 3

    def split(self) -> list[dict[str, Any]]:
        return [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL | {"use_regex": True}]


class Llama3(ByteLevel):
    """As in Llama 3: the first token is put there by the tokenizer."""

    def pipeline(self) -> dict[str, Any]:
        first = starting("<|begin_of_text|>", self.special["<|begin_of_text|>"])
        bytes_ = BYTE_LEVEL | {"use_regex": False}
        processors = {"type": "Sequence", "processors": [bytes_, first]}
        return super().pipeline() | {"normalizer": None, "post_processor": processors}


def starting(token: str, number: int) -> dict[str, Any]:
    """The post-processor that puts a token in front."""
    one = [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    two = [{"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "type": "TemplateProcessing",
        "single": one,
        "pair": one + two,
        "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}},
    }
