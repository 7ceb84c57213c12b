"""What counts as right."""

from __future__ import annotations

import pytest

from pruneviz.errors import InputError
from pruneviz.evaluation.normalise import normalised
from pruneviz.evaluation.scoring import RULES, Truth, chosen, is_right, rule_for


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Dog.", "dog"),
        ("  two  ", "2"),
        ("None", "0"),
        ("ten dogs, a cat", "10 dogs cat"),
        ("3.5", "3.5"),
        (".5 m", ".5 m"),
        ("3.", "3"),
        ("1,000", "1000"),
        ("red, green", "red green"),
        ("black/white", "black white"),
        ("half-open_door", "half open door"),
        ("dont know", "don't know"),
        ("it doesn\u2019t", "it doesn't"),
        ("well its ill", "well its ill"),
        ("man's hat", "man's hat"),
        ("10:30", "10:30"),
        ("what?!", "what"),
        ("another theatre", "another theatre"),
        ("", ""),
        ("Ein Mädchen", "ein mädchen"),
    ],
)
def test_normalised(text, plain) -> None:
    assert normalised(text) == plain
    assert normalised(plain) == plain


@pytest.mark.parametrize(
    ("rule", "answer", "right"),
    [
        ("exact", " a dog ", True),
        ("exact", "A dog", False),
        ("normalised", "The dog!", True),
        ("normalised", "puppy", True),
        ("normalised", "a big dog", False),
        ("contains", "I see a big dog here.", True),
        ("contains", "a dogma", False),
        ("contains", "", False),
    ],
)
def test_any_accepted_answer_will_do(rule, answer, right) -> None:
    assert RULES[rule](answer, Truth(("a dog", "puppy"))) is right


def test_an_empty_accepted_answer_is_contained_in_nothing() -> None:
    assert not RULES["contains"]("a dog", Truth(("the",)))


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Yes.", True),
        ("yes, there is a cat", True),
        ("No, yes", False),
        ("eyes", False),
        ("", False),
    ],
)
def test_yes_no(answer, right) -> None:
    assert RULES["yes-no"](answer, Truth(("yes",))) is right


CHOICES = ("a red car", "car", "Blue", "10 dogs")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1),
        ("b.", 1),
        ("(C)", 2),
        ("D: dogs", 3),
        ("The answer is B.", 1),
        ("the answer is (d) because", 3),
        ("the answer is a car", 1),
        ("It is a red car", 0),
        ("blue!", 2),
        ("ten dogs", 3),
        ("blue or ten dogs", None),
        ("green", None),
        ("E", None),
        ("", None),
        ("A dog", None),
    ],
)
def test_chosen(text, index) -> None:
    assert chosen(text, CHOICES) == index


def test_a_choices_text_goes_before_its_letter() -> None:
    assert chosen("b", ("b", "a")) == 0


def test_truth_may_be_a_letter_or_a_text() -> None:
    for known in ("C", "blue"):
        assert RULES["choice"]("(c)", Truth((known,), CHOICES))
        assert not RULES["choice"]("A", Truth((known,), CHOICES))
    assert not RULES["choice"]("no idea", Truth(("no idea",), CHOICES))


@pytest.mark.parametrize(
    ("truth", "rule"),
    [
        (Truth(), "agreement"),
        (Truth((), ("x", "y")), "agreement"),
        (Truth(("x",), ("x", "y")), "choice"),
        (Truth(("Yes.",)), "yes-no"),
        (Truth(("yes", "red")), "normalised"),
    ],
)
def test_auto(truth, rule) -> None:
    assert rule_for("auto", truth) == rule


def test_rules_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="Scorings: auto, exact"):
        rule_for("fuzzy", Truth(("x",)))
    with pytest.raises(InputError, match="choices of every question"):
        rule_for("choice", Truth(("x",)))


def test_agreement() -> None:
    assert is_right("agreement", "x", Truth(), "x") is True
    assert is_right("agreement", "X", Truth(), "x") is False
    assert is_right("agreement", "x", Truth(), None) is None
    assert is_right("exact", "x", Truth(("x",)), None) is True
