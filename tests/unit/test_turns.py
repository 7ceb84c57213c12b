"""Turns on the model: in order, given up by who leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pruneviz.engine.streaming import stream
from pruneviz.engine.turns import Turns, check, until
from pruneviz.errors import AbandonedError

SECONDS = 60


def begun(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def waiting(turns: Turns, count: int) -> None:
    """Wait until so many have or want the turn."""
    pause = threading.Event()
    while len(turns._waiting) < count - 1:
        pause.wait(0.01)


def test_a_long_run_lets_others_in_between_its_units() -> None:
    turns, order = Turns(), []

    def long() -> None:
        for unit in range(3):
            with turns:
                order.append(f"long {unit}")
                if unit == 0:
                    started.set()
                    assert queued.wait(SECONDS)

    def short(name: str) -> None:
        with turns:
            order.append(name)

    started, queued = threading.Event(), threading.Event()
    threads = [begun(long)]
    assert started.wait(SECONDS)
    for number, name in enumerate(("first", "second")):
        threads.append(begun(lambda name=name: short(name)))
        waiting(turns, 2 + number)
    queued.set()
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["long 0", "first", "second", "long 1", "long 2"]


def test_who_has_the_turn_may_take_it_again() -> None:
    turns = Turns()
    with turns, turns:
        assert not turns.busy
        seen: list[bool] = []
        begun(lambda: seen.append(turns.busy)).join(SECONDS)
        assert seen == [True]
    assert not turns.busy
    begun(lambda: seen.append(turns.busy)).join(SECONDS)
    assert seen == [True, False]


def test_who_leaves_while_waiting_gives_up_the_place() -> None:
    turns, left, ended = Turns(), threading.Event(), threading.Event()

    def wait() -> None:
        with pytest.raises(AbandonedError), until(left.is_set), turns:
            raise AssertionError("it never had its turn")
        ended.set()

    with turns:
        begun(wait)
        waiting(turns, 2)
        left.set()
        assert ended.wait(SECONDS)
        assert not turns._waiting
    assert not turns.busy


def test_a_turn_is_given_back_after_an_error() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns:
        raise RuntimeError
    assert not turns.busy


def test_whichever_of_nested_blocks_says_so_first() -> None:
    for outer, inner in ((True, False), (False, True)):
        left = until(lambda one=outer: one), until(lambda one=inner: one)
        with left[0], left[1], pytest.raises(AbandonedError):
            check()
    check()


def test_a_stream_ends_when_its_visitor_leaves() -> None:
    left, ended = threading.Event(), threading.Event()

    def work(emit, stop: threading.Event) -> None:
        emit(1)
        assert stop.wait(SECONDS)
        ended.set()

    with until(left.is_set):
        items = stream(work)
        assert next(items) == 1
        left.set()
        with pytest.raises(AbandonedError):
            next(items)
    assert ended.is_set()


def test_what_waits_inside_a_stream_ends_with_it() -> None:
    turns = Turns()

    def work(emit, stop: threading.Event) -> None:
        emit(1)
        with turns:
            emit(2)

    with turns:
        items = stream(work)
        assert next(items) == 1
        waiting(turns, 2)
        items.close()
        assert not turns._waiting
