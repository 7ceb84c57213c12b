"""Several threads on one model: right, or refused in words."""

from __future__ import annotations

import asyncio
import copy
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import torch

from pruneviz import observe, prune
from pruneviz.errors import PruningError
from tests.helpers import own_hooks, prompt, tiny
from tests.pruning.settings import METHODS

KIND = "llava_clip"
FOREIGN = pytest.raises(PruningError, match="Another thread is inside a prune")
RANDOM = METHODS["random"]
SETTINGS = {"max_new_tokens": 4, "do_sample": False}


def generate() -> torch.Tensor:
    return tiny(KIND).generate(**prompt(KIND).inputs, **SETTINGS)


def pruned(name: str = "transprune") -> torch.Tensor:
    with prune(tiny(KIND), METHODS[name]):
        return generate()


def elsewhere(work: Callable[[], Any]) -> Any:
    """What comes of some work on a thread that was there before."""
    return POOL.submit(work).result()


POOL = ThreadPoolExecutor(1)
START = Thread.start


@pytest.fixture(autouse=True, scope="module")
def _pool() -> Iterator[None]:
    POOL.submit(int).result()
    yield
    POOL.shutdown()


@pytest.mark.parametrize("block", [prune, observe])
@pytest.mark.parametrize(
    "work",
    [
        generate,
        lambda: tiny(KIND)(**prompt(KIND).inputs),
        lambda: tiny(KIND).model(**prompt(KIND).inputs),
        lambda: tiny(KIND).model.language_model(inputs_embeds=prompt(KIND).embeds),
    ],
)
def test_another_thread_is_refused_while_the_block_is_open(work: Any, block: Any) -> None:
    alone = pruned()
    plain = generate()
    model = tiny(KIND)
    with block(model, *([METHODS["transprune"]] if block is prune else [])) as run:
        with FOREIGN:
            elsewhere(work)
        first = generate()
        with FOREIGN:
            elsewhere(work)
        kept = run.trace.kept.tolist()
        assert torch.equal(generate(), first)
        assert run.trace.kept.tolist() == kept
    assert torch.equal(first, alone if block is prune else plain)
    elsewhere(work)
    assert torch.equal(elsewhere(generate), plain)


def test_what_another_thread_encodes_is_not_taken_for_the_blocks() -> None:
    model, case = tiny(KIND), prompt(KIND)
    other = torch.randn_like(case.inputs["pixel_values"])
    with prune(model, METHODS["fopru"]) as run:
        model(**case.inputs)
    wanted, own = run.trace.kept.tolist(), threading.current_thread()

    def between(*_: Any) -> None:
        """The encoder has run, the language model has not."""
        if threading.current_thread() is own:
            elsewhere(lambda: model.model.get_image_features(pixel_values=other))

    handle = model.model.multi_modal_projector.register_forward_hook(between)
    with prune(model, METHODS["fopru"]) as run:
        model(**case.inputs)
    handle.remove()
    assert run.trace.kept.tolist() == wanted


def by_thread(work: Callable[[], None]) -> None:
    thread = Thread(target=work)
    thread.start()
    thread.join()


def by_pool(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def by_nested_thread(work: Callable[[], None]) -> None:
    by_thread(lambda: by_thread(work))


def by_context(work: Callable[[], None]) -> None:
    POOL.submit(copy_context().run, work).result()


def by_asyncio(work: Callable[[], None]) -> None:
    asyncio.run(asyncio.to_thread(work))


@pytest.mark.parametrize("way", [by_thread, by_pool, by_nested_thread, by_context, by_asyncio])
def test_threads_of_the_block_run_in_it(way: Any) -> None:
    wanted, found = pruned(), list[torch.Tensor]()
    with prune(tiny(KIND), METHODS["transprune"]):
        way(lambda: found.append(generate()))
    assert torch.equal(found[0], wanted)
    assert Thread.start is START


def test_a_block_that_ends_elsewhere_is_closed() -> None:
    """As a generator's that is resumed by another thread."""
    block = prune(tiny(KIND), METHODS["transprune"])
    block.__enter__()
    elsewhere(lambda: block.__exit__(None, None, None))
    assert not own_hooks(tiny(KIND))
    generate()
    assert Thread.start is START


def test_starting_threads_is_as_before_when_the_last_block_is_closed() -> None:
    """Nested and overlapping blocks of several threads, of which some end with an exception."""
    pairs = [[copy.deepcopy(tiny(KIND)) for _ in range(2)] for _ in range(3)]
    together, kept = Barrier(len(pairs)), list[int]()

    def work(number: int) -> None:
        outer, inner = pairs[number]
        for turn in range(10):
            together.wait(20)
            with suppress(ZeroDivisionError), prune(outer, RANDOM):
                with prune(inner, RANDOM) as run:
                    by_pool(lambda: inner(**prompt(KIND).inputs))
                    kept.append(len(run.trace.kept))
                    if (turn + number) % 2:
                        raise ZeroDivisionError
                by_pool(lambda: outer(**prompt(KIND).inputs))

    with ThreadPoolExecutor(len(pairs)) as pool:
        list(pool.map(work, range(len(pairs))))
    assert len(kept) == 30
    assert max(kept) < 36
    assert Thread.start is START
    assert not any(own_hooks(model) for pair in pairs for model in pair)


def test_who_else_watches_threads_start_is_asked_and_stays(monkeypatch) -> None:
    """As a tracer does, before a block or inside of one."""
    started = list[str]()

    def watching(name: str, start: Callable[[Thread], None]) -> Callable[[Thread], None]:
        return lambda thread: (started.append(name), start(thread))[1]

    first = watching("first", Thread.start)
    monkeypatch.setattr(Thread, "start", first)
    pruned()
    assert Thread.start is first
    with prune(tiny(KIND), RANDOM):
        second = watching("second", Thread.start)
        Thread.start = second
        by_thread(generate)
    assert started == ["second", "first"]
    for _ in range(3):
        pruned()
        assert Thread.start is second
    by_thread(generate)
    assert started == ["second", "first"] * 2


def test_two_threads_of_a_block_at_once_are_refused() -> None:
    model, case = tiny(KIND), prompt(KIND)
    inside, go, failed = Event(), Event(), list[BaseException]()
    layer = model.model.language_model.layers[3]

    def wait(*_: Any) -> None:
        inside.set()
        go.wait(20)

    def work() -> None:
        try:
            model(**case.inputs)
        except RuntimeError as error:
            failed.append(error)

    with prune(model, METHODS["transprune"]) as run:
        wanted = model(**case.inputs).logits
        handle = layer.register_forward_pre_hook(wait)
        thread = Thread(target=work)
        thread.start()
        inside.wait(20)
        with pytest.raises(PruningError, match="at the same time"):
            model(**case.inputs)
        go.set()
        thread.join()
        handle.remove()
        assert not failed
        assert torch.equal(model(**case.inputs).logits, wanted)
        assert len(run.trace.kept) < 36


@pytest.mark.parametrize("name", ["transprune", "random", "fastv", "fopru"])
def test_a_forward_that_was_on_its_way_stays_right(name: str) -> None:
    """The block is entered, and a prefill half done, while another thread is between layers."""
    model, case = tiny(KIND), prompt(KIND)
    wanted, alone = model(**case.inputs).logits, pruned(name)
    inside, go, found = Event(), Event(), list[Any]()
    own = threading.current_thread()

    def wait(*_: Any) -> None:
        if threading.current_thread() is not own:
            inside.set()
            go.wait(20)

    def let_go(*_: Any) -> None:
        if threading.current_thread() is own:
            go.set()
            thread.join()

    handle = model.model.language_model.layers[1].register_forward_pre_hook(wait)
    thread = Thread(target=lambda: found.append(model(**case.inputs).logits))
    thread.start()
    inside.wait(20)
    last = model.model.language_model.layers[4].register_forward_pre_hook(let_go)
    with prune(model, METHODS[name]):
        first = model(**case.inputs, use_cache=True)
        last.remove()
        again = generate()
    handle.remove()
    assert first.logits.shape[1] < wanted.shape[1]
    assert torch.equal(found[0], wanted)
    assert torch.equal(again, alone)


def test_many_runs_of_two_threads() -> None:
    """Whatever is not refused in words is what it would be alone."""
    wanted = {"pruned": pruned(), "plain": generate()}
    wrong, done = list[str](), {"pruned": 0, "plain": 0, "refused": 0}
    start = Barrier(2)
    before = sys.getswitchinterval()

    def work(name: str, run: Callable[[], torch.Tensor]) -> None:
        start.wait()
        for _ in range(25):
            try:
                right = torch.equal(run(), wanted[name])
                done[name] += 1
                wrong.extend([] if right else [name])
            except PruningError:
                done["refused"] += 1
            except Exception as error:  # noqa: BLE001 - what the test is for
                wrong.append(f"{name}: {error!r}")

    sys.setswitchinterval(1e-5)
    try:
        threads = [
            Thread(target=work, args=job) for job in (("pruned", pruned), ("plain", generate))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong, wrong
    assert done["pruned"] == 25
