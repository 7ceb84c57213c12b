"""The model's lock: who came first goes first, and a long run cannot keep others out."""

from __future__ import annotations

import threading

import pytest

from pruneviz.engine.turns import Turns

SECONDS = 600
"""A guard against a hang, no measure of speed."""


def waiting(turns: Turns, count: int) -> None:
    """Until so many stand in line."""
    while len(turns._waiting) < count:
        threading.Event().wait(0.001)


def in_line(turns: Turns, names: list[str], order: list[str]) -> list[threading.Thread]:
    """Threads that wait for their turn one behind the other."""

    def take(name: str) -> None:
        with turns:
            order.append(name)

    threads = []
    for name in names:
        threads.append(threading.Thread(target=take, args=(name,), daemon=True))
        threads[-1].start()
        waiting(turns, len(threads))
    return threads


def test_who_came_first_goes_first() -> None:
    turns, order = Turns(), []
    with turns:
        threads = in_line(turns, list("abcdef"), order)
        assert not order
    for thread in threads:
        thread.join(SECONDS)
    assert order == list("abcdef")


def test_whoever_lets_go_stands_behind_those_who_wait() -> None:
    turns, order = Turns(), []
    turns.__enter__()
    threads = in_line(turns, ["ask", "ask again"], order)
    turns.__exit__()
    with turns:  # at once, as a long run does between two parts
        order.append("long run")
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["ask", "ask again", "long run"]


def test_it_may_be_taken_again_by_who_has_it() -> None:
    turns, order = Turns(), []
    with turns:
        with turns:
            (other,) = in_line(turns, ["other"], order)
        assert not order, "it is let go at the outer end alone"
    other.join(SECONDS)
    assert order == ["other"]


def test_an_error_lets_it_go() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns:
        raise KeyError
    assert is_free(turns)


def is_free(turns: Turns) -> bool:
    """Whether another thread gets it."""

    def take() -> None:
        with turns:
            pass

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return not thread.is_alive()


class Interrupted(threading.Event):
    """An event whose wait ends as Ctrl+C ends it."""

    def wait(self, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt


@pytest.mark.parametrize("late", [False, True])
def test_who_is_interrupted_while_waiting_is_passed_over(monkeypatch, late) -> None:
    turns, taken, free = Turns(), threading.Event(), threading.Event()

    def hold() -> None:
        with turns:
            taken.set()
            free.wait(SECONDS)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert taken.wait(SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Interrupted)
        if late:  # the turn came, and so did the interrupt
            patch.setattr(Turns, "_give_up", lambda self, turn: None)
        with pytest.raises(KeyboardInterrupt):
            turns.__enter__()
    if late:
        (turn,) = turns._waiting
        free.set()
        holder.join(SECONDS)
        turns._give_up(turn)
    else:
        assert not turns._waiting
    free.set()
    holder.join(SECONDS)
    assert is_free(turns)
