"""The answer normalisation of the VQA benchmarks, written from its published rules."""

from __future__ import annotations

import re

NUMBERS = {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"none": "0"}
ARTICLES = frozenset(("a", "an", "the"))
_NEGATED = (
    "ain aren can couldn didn doesn don hadn hasn haven isn mightn mustn needn shan shouldn wasn "
    "weren won wouldn"
).split()
# Those that are no other words without the apostrophe ("well", "its", "wed", "ill" are).
_JOINED = {
    "'m": ("i",),
    "'ve": ("i", "you", "we", "they", "could", "would", "should", "might", "must"),
    "'re": ("you", "they"),
    "'ll": ("you", "they", "it", "that", "there", "who"),
    "'d": ("you", "they", "there", "who"),
    "'s": ("that", "there", "what", "where", "who", "how", "he", "she", "here"),
}
CONTRACTIONS = {f"{word}t": f"{word}'t" for word in _NEGATED} | {
    f"{word}{end[1:]}": f"{word}{end}" for end, words in _JOINED.items() for word in words
}
_PERIOD = re.compile(r"\.(?!\d)")
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_OTHER = re.compile(r"[^\w\s.':]|_")


def normalised(text: str) -> str:
    """An answer in the form in which answers are compared.

    Parameters
    ----------
    text : str
        Any answer.

    Returns
    -------
    str
        In lower case; number words up to ten as digits ("none" is 0); without articles; without
        periods but decimal points; contractions with their apostrophes; other punctuation, but
        apostrophes and colons, as spaces, a comma inside of a number as nothing; single spaces.

    Notes
    -----
    The rules as https://visualqa.org/evaluation.html lists them. The list of contractions is our
    own: those of pronouns and auxiliaries that are no other words without an apostrophe.
    """
    plain = " ".join(text.lower().replace("\u2019", "'").split())
    plain = _OTHER.sub(" ", _COMMA.sub("", _PERIOD.sub("", plain)))
    words = (NUMBERS.get(word, word) for word in plain.split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)
