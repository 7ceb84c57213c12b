"""The model's own tokenizer: one token a known word or punctuation mark, lower case.

Other words are read by their letters, so that a misspelt one can be recognised.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pruneviz.scenes import phrases
from pruneviz.scenes.vocabulary import (
    CARD_TEXTS,
    CATEGORIES,
    CATEGORY_SYNONYMS,
    CLASSES,
    COLOURS,
    NUMBERS,
)

PAD, BOS, EOS, UNK, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
SPECIAL = (PAD, BOS, EOS, UNK, IMAGE)
PUNCTUATION = tuple(".?!,:;'\"-()/")
# Begins a token that goes on a word.
PIECE = "##"
LONGEST_WORD = 24
# The words of the answers that no table of the scenes holds.
_ANSWERS = (
    *("user", "assistant", "this", "is", "a", "an", "there", "nothing", "the", "no", "yes"),
    *("are", "object", "objects", "says", "it", "card", "cards", "background", "s"),
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {% else %} ASSISTANT: {% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] != 'user' %}</s>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def _phrase_words() -> list[str]:
    patterns = [*sum(phrases.PATTERNS.values(), ()), *phrases.CHOICES.values()]
    patterns += [*phrases.SIDES.values(), *sum(phrases.AT.values(), ()), *phrases.STRAY]
    patterns += phrases.PREFIXES + phrases.BEFORE_ASKING + phrases.BEFORE_REQUEST + phrases.SUFFIXES
    bare = (re.sub(r"<\w+>|\{\w+\}", " ", pattern) for pattern in patterns)
    return [word for text in bare for word in re.findall(r"[a-z]+", text)]


def taught_words() -> list[str]:
    """Return the words of all questions and answers, each once."""
    words: list[str] = [*_ANSWERS, *NUMBERS, *CATEGORIES, *CARD_TEXTS, *COLOURS]
    words += [w for group in CATEGORY_SYNONYMS.values() for w in group]
    for entry in CLASSES:
        words += [entry.name, entry.plural, *entry.synonyms]
    return list(dict.fromkeys([*words, *_phrase_words(), *phrases.SHORTENED]))


def vocabulary() -> list[str]:
    """Return all tokens in their fixed order, special ones first.

    Weights have a row for each, so words are only ever added at the end of ``words.txt``.
    """
    words = resources.files("training").joinpath("words.txt").read_text(encoding="utf-8")
    return [*SPECIAL, *PUNCTUATION, *words.split()]


@lru_cache(maxsize=1)
def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer.

    Returns
    -------
    PreTrainedTokenizerFast
        Each known word is a token whatever follows, so the text of an answer's beginning never
        changes when more of it is decoded. A word that is not known is its longest known
        beginning and then single letters; what has other letters than a to z, or is long, is
        ``<unk>``.
    """
    ids = {token: i for i, token in enumerate(vocabulary())}
    core = Tokenizer(
        models.WordPiece(
            ids,
            unk_token=UNK,
            continuing_subword_prefix=PIECE,
            max_input_chars_per_word=LONGEST_WORD,
        )
    )
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    # Joins words by spaces, but puts none before a full stop, question mark or comma.
    core.decoder = decoders.WordPiece(prefix=PIECE, cleanup=True)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ids[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        additional_special_tokens=[IMAGE],
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=2048,
        chat_template=CHAT_TEMPLATE,
    )


@lru_cache(maxsize=65536)
def encode(text: str) -> tuple[int, ...]:
    """Return the token ids of a text without the leading ``<s>``."""
    return tuple(build_tokenizer().encode(text, add_special_tokens=False))


def token_id(token: str) -> int:
    """Return the id of one token; it must be in the vocabulary."""
    index = build_tokenizer().convert_tokens_to_ids(token)
    if index == build_tokenizer().unk_token_id:
        raise ValueError(f"{token!r} is not in the vocabulary")
    return int(index)
