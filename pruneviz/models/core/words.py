"""Which tokens of a prompt are the question's content words.

Rule: among the text after the last image, the words of letters or digits that are neither
function words nor words about the task or the chat template (lists below). Every token of such
a word counts. If none is left, all text tokens after the image count. A stand-in for the nouns
that ResPrune speaks of: it needs no tagger and works for any tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

WORD = re.compile("[^\\W_]+(?:['\u2019-][^\\W_]+)*")
ROLES = re.compile(
    r"\b(?:user|assistant|system|human)\s*:|<\|im_start\|>\s*\w+|<[^<>\s]+>|\[/?INST\]",
    re.IGNORECASE,
)
FUNCTION_WORDS = frozenset(
    """a about above after again all also am an and another any are as at be because been before
    being below between both bottom but by can center centre could did do does doing down during
    each either else few for from further get go had has have having he her here hers him his how
    i if in into is isn't it its itself just know left like many may me middle might more most much
    must my near next no nor not now of off on one only onto or other our out over own right same
    shall she should so some such than that the their them then there these they this those
    through to too top under until up upon us very was we were what what's when where which while
    who whom whose why will with within without would yes you your
    aren't can't couldn't didn't doesn't don't hadn't hasn't haven't he's how's i'd i'll i'm i've
    it's let's she's shouldn't that's there's they're wasn't we're weren't where's who's won't
    wouldn't you're""".split()
)
TASK_WORDS = frozenset(
    """answer briefly describe detail detailed explain find give image kind list locate look name
    object objects phrase photo photograph picture please question read say scene see seen sentence
    short show shown shows single tell thing things type use using visible word words write
    written""".split()
)

_TOKENIZERS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def remember_tokenizer(model: Any, tokenizer: Any) -> None:
    """Let :func:`tokenizer_of` find the tokenizer of a loaded model."""
    _TOKENIZERS[model] = tokenizer


def tokenizer_of(model: Any) -> Any | None:
    """Tokenizer of a model that came from `load_model`, else None."""
    return _TOKENIZERS.get(model)


def is_content_word(word: str) -> bool:
    """Whether a word names something that could be looked for."""
    lower = word.lower().replace("\u2019", "'")
    return lower not in FUNCTION_WORDS and lower not in TASK_WORDS


def content_tokens(tokenizer: Any, ids: Sequence[int]) -> list[bool]:
    """Mark the tokens that belong to content words.

    Parameters
    ----------
    tokenizer
        A transformers tokenizer.
    ids : sequence of int
        Token ids of the text after the image.

    Returns
    -------
    list of bool
        One per id; all False where there is no content word.
    """
    spans = _spans(tokenizer, list(ids))
    if spans is None:
        return [False] * len(ids)
    text, offsets = spans
    blanked = ROLES.sub(lambda match: " " * len(match.group()), text)
    wanted = [m.span() for m in WORD.finditer(blanked) if is_content_word(m.group())]
    inside = bytearray(len(text))
    for low, high in wanted:
        inside[low:high] = b"\1" * (high - low)
    return [any(inside[start:end]) for start, end in offsets]


def _spans(tokenizer: Any, ids: list[int]) -> tuple[str, list[tuple[int, int]]] | None:
    """Text of the ids and each token's character span in it."""
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    if getattr(tokenizer, "is_fast", False):
        again = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if list(again["input_ids"]) == ids:
            return text, [tuple(span) for span in again["offset_mapping"]]
    return _joined(tokenizer, ids)


def _joined(tokenizer: Any, ids: list[int]) -> tuple[str, list[tuple[int, int]]] | None:
    """Spans from the tokens' own text, where decoding and encoding again differ."""
    pieces = [str(token) for token in tokenizer.convert_ids_to_tokens(ids)]
    if not pieces:
        return None
    marked = any(piece[:1] in ("▁", "Ġ") for piece in pieces)
    text, spans = "", []
    for piece in pieces:
        shown = re.sub("[▁ĠĊ]", " ", piece) if marked else f" {piece}"
        spans.append((len(text), len(text) + len(shown)))
        text += shown
    return text, spans
