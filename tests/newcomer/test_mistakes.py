"""What a method may get wrong is said with its name, and nothing wrong goes through in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch

from pruneviz import prune
from pruneviz.errors import PruningError, told
from pruneviz.methods import (
    BeforeLLM,
    Card,
    Choice,
    FastV,
    Merge,
    Needs,
    Random,
    ScheduledMethod,
    Scores,
    Stage,
    StageContext,
    Whole,
    register,
)
from tests.helpers import NUM_PATCHES as N
from tests.helpers import prompt, tiny
from tests.newcomer.throw_away import LargestNorm


@dataclass(frozen=True, kw_only=True)
class Wrong(BeforeLLM):
    """Answers whatever it is told to."""

    name: ClassVar[str] = "wrong"
    card: ClassVar[Card] = replace(Random.card, title="Wrong")

    answer: Callable[[StageContext], Any]

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        return self.answer(context)


ONES = torch.ones(N)
PLACES = torch.arange(9)


INTO = PLACES.repeat(4)


def merged(states: int = 9, anchors: Any = PLACES, into: Any = INTO) -> Scores:
    return Scores(ONES, merge=Merge(torch.zeros(states, 32), anchors, into))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ONES, "returned Tensor instead of Scores"),
        (None, "returned NoneType"),
        (Scores(torch.ones(N, 1)), r"'total' must be a tensor \[36\], got \(36, 1\)"),
        (Scores(torch.ones(7)), r"got \(7,\)"),
        (Scores([1.0] * N), "got list"),
        (Scores(ONES, {"length": torch.ones(3)}), r"'length' must be a tensor \[36\]"),
        (Scores(ONES, kept=[1, 2]), "int64 places"),
        (Scores(ONES, kept=ONES > 0), "got torch.bool"),
        (Scores(ONES, kept=PLACES[:0]), "keeps 0 of 36"),
        (Scores(ONES, kept=torch.tensor([-1, 2])), "ascending places from 0 to 35"),
        (Scores(ONES, kept=torch.tensor([3, N])), "ascending places"),
        (Scores(ONES, kept=torch.tensor([3, 3])), "each once"),
        (Scores(ONES, kept=torch.tensor([3, 2])), "ascending"),
        (merged(states=50, anchors=torch.arange(50)), "makes 50 tokens of 36"),
        (merged(anchors=PLACES.float()), r"'anchors' must be int64 \[9\]"),
        (merged(into=PLACES), r"'into' must be int64 \[36\]"),
        (merged(anchors=torch.zeros(9).long()), "stand for one place"),
        (merged(into=torch.full((N,), 9)), "beyond the 9"),
    ],
)
def test_answers_that_cannot_be_used(answer: Any, message: str) -> None:
    model, case = tiny("llama"), prompt("llama")
    block = prune(model, Wrong(answer=lambda _: answer, keep_tokens=9), **case.prune_kwargs)
    with pytest.raises(PruningError, match=f"Wrong cannot be used: .*{message}"), block:
        model(**case.inputs)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda c: c.encoded(), r"Needs\(encoder=True\)"),
        (lambda c: c.vision_significance(False), r"Needs\(encoder=True\)"),
        (lambda c: c.attention_received(), r"Needs\(encoder=True\)"),
        (lambda c: c.crops(), r"Needs\(encoder=True\)"),
        (lambda c: c.transition((1,)), r"Needs\(transitions="),
        (lambda c: c.attention("raters"), r"Needs\(raters=True\)"),
        (lambda c: c.attention("every"), "no queries 'every'"),
        (lambda c: {}["nothing"], "Wrong before the LLM failed: KeyError"),
        (lambda c: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_questions_that_are_not_answered(asked: Any, message: str) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    block = prune(model, Wrong(answer=asked, keep_tokens=9), **case.prune_kwargs)
    with pytest.raises(PruningError, match=message), block:
        model(**case.inputs)


def test_attention_inside_the_layer_has_to_be_declared() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Undeclared(FastV):
        needs = Needs()

    model, case = tiny("llama"), prompt("llama")
    block = prune(model, Undeclared(), **case.prune_kwargs)
    with pytest.raises(PruningError, match=r"Needs\(own_attention=True\)"), block:
        model(**case.inputs)


def test_an_error_of_its_own_says_whose_it_is() -> None:
    def fail(_: StageContext) -> None:
        raise ValueError("mine")

    model, case = tiny("llama"), prompt("llama")
    block = prune(model, Wrong(answer=fail, keep_tokens=9), **case.prune_kwargs)
    with pytest.raises(ValueError, match="mine") as error, block:
        model(**case.inputs)
    assert told(error.value) == "mine (Wrong before the LLM)"


CARD = LargestNorm.card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounding": "up"}, "'down' or 'nearest'"),
        ({"paper": "2411.14164"}, "begins with https"),
        ({"options": Whole("seed", "No tuple.")}, "tuple of Choice"),
        ({"options": (Choice("power", "Letters.", "euclid"),)}, "tuple of words"),
        ({"formula": replace(CARD.formula, lines=("x",))}, "pairs of texts"),
        ({"formula": replace(CARD.formula, lines=((r"\frac{a", "x"),))}, "brace is missing"),
    ],
)
def test_cards_that_cannot_be_shown(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CARD, **change)


def test_a_default_that_the_card_does_not_allow_is_refused() -> None:
    loose = replace(CARD, options=(Choice("power", "Words.", ("a", "b")),))
    made = type("Another", (LargestNorm,), {"name": "another", "card": loose})
    with pytest.raises(ValueError, match=r"default power=1.0 is not what its card allows"):
        register(dataclass(frozen=True, kw_only=True)(made))


def test_a_schedule_without_its_published_one_is_refused() -> None:
    card = replace(CARD, options=())
    parts = {"name": "another", "card": card, "score": LargestNorm.score}
    made = type("Another", (ScheduledMethod,), parts)
    with pytest.raises(ValueError, match="with its defaults it cannot be built"):
        register(dataclass(frozen=True, kw_only=True)(made))
