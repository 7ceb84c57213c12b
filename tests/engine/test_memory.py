"""What a session remembers is bounded in bytes; what it answers does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pruneviz import get_method
from pruneviz.engine import Session, Settings
from pruneviz.engine import memory as memory_module
from pruneviz.engine.memory import Memory, default_limit, size_of

SHORT = Settings(max_new_tokens=4, signals=False)
QUESTION = "Where is the cat?"


def block(size: int) -> torch.Tensor:
    return torch.zeros(size, dtype=torch.uint8)


def test_the_one_unused_for_longest_goes_first() -> None:
    held = Memory(100)
    for name in "abc":
        held.put(name, block(30))
    assert held.size == 90
    assert held.get("a") is not None
    held.put("d", block(20))
    assert [name in held for name in "abcd"] == [True, False, True, True]
    assert held.size == 80
    held.put("e", block(95))
    assert [name in held for name in "acde"] == [False, False, False, True]
    assert held.size == 95


def test_what_is_larger_than_all_is_not_kept_and_moves_nothing() -> None:
    held = Memory(100)
    held.put("a", block(60))
    held.put("b", block(101))
    assert "b" not in held
    assert held.get("b") is None
    assert "a" in held
    held.put("a", block(101))
    assert len(held) == held.size == 0


def test_a_value_in_place_of_another_counts_once() -> None:
    held = Memory(100)
    held.put("a", block(60))
    held.put("a", block(70))
    assert held.size == 70
    held.forget("a")
    held.forget("never there")
    assert held.size == 0


@dataclass(frozen=True)
class Record:
    attention: nn.Module
    hidden: torch.Tensor
    name: str = "words take nothing"


def test_each_storage_counts_once_and_no_model_does() -> None:
    values = torch.zeros(4, 5)
    assert size_of(values) == 80
    assert size_of([values, values[:2], {"again": values.view(20)}]) == 80
    assert size_of(Record(nn.Linear(100, 100), values)) == 80
    # A part of a tensor holds all of it.
    assert size_of(values[:1]) == 80
    numbers = np.zeros((3, 4))
    assert size_of((numbers, numbers[1:], numbers.T)) == 96
    assert size_of(Image.new("RGB", (10, 7))) == 210
    assert size_of([None, 3, "text"]) == 0


def test_the_default_is_a_share_of_what_is_free(monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "free_memory", lambda _: 8_000)
    assert default_limit(torch.device("cpu")) == 1_000
    monkeypatch.setattr(memory_module, "free_memory", lambda _: 2**40)
    assert default_limit(torch.device("cpu")) == memory_module.LEAST
    assert default_limit(torch.device("cpu"), 2**33) == 2**33
    assert default_limit(torch.device("cpu"), 2**39) == 2**37
    monkeypatch.setattr(memory_module, "free_memory", lambda _: None)
    assert default_limit(torch.device("cpu")) == memory_module.UNKNOWN


@pytest.mark.parametrize("wrong", [-1, 1.5, "much", True])
def test_a_limit_that_is_no_number_of_bytes(session, wrong) -> None:
    with pytest.raises(ValueError, match="memory_bytes"):
        Session(session.loaded, memory_bytes=wrong)


def test_questions_go_when_they_take_too_much(session) -> None:
    one = Session(session.loaded).prepare(Image.new("RGB", (32, 32), "red"), QUESTION)
    small = Session(session.loaded, memory_bytes=int(3.5 * size_of(one)))
    asked = [
        small.prepare(Image.new("RGB", (32, 32), (number, 0, 0)), QUESTION) for number in range(9)
    ]
    assert len(small.memory) == 3
    assert small.memory.size <= small.memory.limit
    assert small.prepare(Image.new("RGB", (32, 32), (8, 0, 0)), QUESTION) is asked[8]
    assert small.prepare(Image.new("RGB", (32, 32), (0, 0, 0)), QUESTION) is not asked[0]


@pytest.mark.parametrize("name", ["fastv", "transprune", "hiprune", "random"])
def test_a_session_that_remembers_nothing_answers_the_same(session, picture, name) -> None:
    forgetful = Session(session.loaded, memory_bytes=0)
    for ratio in (1.0, 0.2):
        method = get_method(name, num_layers=session.num_layers, keep_ratio=ratio)
        mine, other = (
            one.compare(one.prepare(picture, QUESTION), method, SHORT)
            for one in (forgetful, session)
        )
        assert len(forgetful.memory) == 0
        assert mine.pruned.token_ids == other.pruned.token_ids
        assert mine.fidelity == other.fidelity
        assert mine.pruned.cost == other.pruned.cost
        for stage, same in zip(mine.pruned.trace.stages, other.pruned.trace.stages, strict=True):
            assert np.array_equal(stage.kept, same.kept)
            assert np.array_equal(stage.scores, same.scores)
