"""Whether an answer is right: rules by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pruneviz.errors import InputError
from pruneviz.evaluation.normalise import normalised

AUTO = "auto"
AGREEMENT = "agreement"
YES_NO = ("yes", "no")
_WORD = re.compile(r"[a-z0-9]+")
_LETTER = re.compile(r"^\W*([a-zA-Z])(?![\w'])(?!\s+\w)|^\W*([a-zA-Z])[).:]|\(([a-zA-Z])\)")
_SAID = re.compile(
    # "The answer is a cat" names no letter.
    r"\b(?:answer|option|choice)\s*(?:is|:)?\s*\(?([b-z]\b(?!')|a(?!\w)(?!\s+\w))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Truth:
    """What is known of the right answer.

    Attributes
    ----------
    answers : tuple of str
        Accepted ones; any of them will do. Empty where none is known.
    choices : tuple of str
        What a multiple-choice question offers, in its order.
    """

    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def exact(answer: str, truth: Truth) -> bool:
    """Whether it is one of the accepted answers, letter for letter but for spaces around."""
    return answer.strip() in {one.strip() for one in truth.answers}


def normal(answer: str, truth: Truth) -> bool:
    """Whether it is one of the accepted answers after normalisation of both."""
    return normalised(answer) in {normalised(one) for one in truth.answers}


def contains(answer: str, truth: Truth) -> bool:
    """Whether an accepted answer stands in it, word for word, after normalisation of both."""
    said = f" {normalised(answer)} "
    found = (normalised(one) for one in truth.answers)
    return any(f" {one} " in said for one in found if one)


def yes_no(answer: str, truth: Truth) -> bool:
    """Whether its first "yes" or "no" is that of an accepted answer."""
    said = first_yes_no(answer)
    return said is not None and said in {first_yes_no(one) for one in truth.answers}


def first_yes_no(text: str) -> str | None:
    """The first word of a text that is "yes" or "no"; None without one."""
    return next((word for word in _WORD.findall(text.lower()) if word in YES_NO), None)


def choice(answer: str, truth: Truth) -> bool:
    """Whether it names the right choice: by its letter, or by its text alone of all."""
    picked = chosen(answer, truth.choices)
    return picked is not None and picked in {chosen(one, truth.choices) for one in truth.answers}


def chosen(text: str, choices: Sequence[str]) -> int | None:
    """Index of the choice that a text names; None where it names none or several.

    It may be the choice itself, its letter (``B``, ``(b)``, ``B. a cat``, ``the answer is B``),
    or a text in which a single one of the choices stands. A choice's own text goes before a
    letter: with the choices "a" and "b" the answer "b" means that choice.
    """
    plain = [normalised(one) for one in choices]
    said = normalised(text)
    if said and plain.count(said) == 1:
        return plain.index(said)
    match = _LETTER.search(text) or _SAID.search(text)
    if match:
        letter = next(group for group in match.groups() if group)
        index = ord(letter.lower()) - ord("a")
        if index < len(choices):
            return index
    inside = [i for i, one in enumerate(plain) if one and f" {one} " in f" {said} "]
    # "red car" names itself, not "car" as well.
    longest = [
        i for i in inside if not any(i != j and f" {plain[i]} " in f" {plain[j]} " for j in inside)
    ]
    return longest[0] if len(longest) == 1 else None


RULES: dict[str, Callable[[str, Truth], bool]] = {
    "exact": exact,
    "normalised": normal,
    "contains": contains,
    "yes-no": yes_no,
    "choice": choice,
}
"""By name; each is content with any of the accepted answers."""


def rule_for(name: str, truth: Truth) -> str:
    """The rule that a question is scored by.

    Parameters
    ----------
    name : str
        One of ``RULES``, ``"agreement"`` or ``"auto"``.
    truth : Truth
        Of the question.

    Returns
    -------
    str
        ``"agreement"`` (with the unpruned answer) where no right answer is known. Of ``"auto"``:
        ``"choice"`` where choices are given, ``"yes-no"`` where every accepted answer is just that
        word, else ``"normalised"``.

    Raises
    ------
    InputError
        If there is no such rule, or it does not fit the question.
    """
    if name not in (*RULES, AUTO, AGREEMENT):
        known = ", ".join((AUTO, *RULES, AGREEMENT))
        raise InputError(f"Unknown scoring {name!r}. Scorings: {known}.")
    if name == AGREEMENT or not truth.answers:
        return AGREEMENT
    if name == "choice" and not truth.choices:
        raise InputError("Scoring by choice needs the choices of every question.")
    if name == "choice" or (name == AUTO and truth.choices):
        outside = [one for one in truth.answers if chosen(one, truth.choices) is None]
        if outside:
            raise InputError(f"has an answer that names none of its choices: {outside[0]!r}")
        return "choice"
    if name != AUTO:
        return name
    plain = {normalised(one) for one in truth.answers}
    return "yes-no" if plain <= set(YES_NO) else "normalised"


def is_right(rule: str, answer: str, truth: Truth, unpruned: str | None) -> bool | None:
    """Whether an answer is right by a rule of :func:`rule_for`.

    With ``"agreement"``: whether it is the unpruned one, letter for letter; None where that is not
    known.
    """
    if rule == AGREEMENT:
        return None if unpruned is None else answer == unpruned
    return RULES[rule](answer, truth)
