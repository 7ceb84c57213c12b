"""What is asked for by somebody who has left ends; short runs come in between long ones."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from pruneviz.errors import AbandonedError
from pruneviz.ui import build, launch_settings
from pruneviz.ui.serving.leaving import Leaving, listened_to
from pruneviz.ui.shared.attending import ATTENDANCE, Attendance, Visitors
from tests.ui.browsing import SECONDS
from tests.ui.conftest import PATIENT, QUESTION

METHODS = ["random", "uniform", "fopru", "divprune", "fastv", "transprune"]
RATIOS = [0.9, 0.7, 0.5, 0.3, 0.2, 0.1]


def uploaded(url: str, picture) -> dict:
    files = {"files": ("picture.png", picture.read_bytes())}
    (path,) = httpx.post(f"{url}gradio_api/upload", files=files, **PATIENT).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def begin(url: str, endpoint: str, *data) -> str:
    sent = httpx.post(f"{url}gradio_api/call/{endpoint}", json={"data": data}, **PATIENT)
    return sent.json()["event_id"]


@pytest.fixture
def runs(session, monkeypatch) -> list[str]:
    """Names of the methods that were run, one entry a unit."""
    found: list[str] = []
    real = session._run

    def run(prepared, method, *rest) -> None:
        found.append(method.name)
        real(prepared, method, *rest)

    monkeypatch.setattr(session, "_run", run)
    return found


def until_true(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def quiet(session) -> None:
    """Wait until nobody has or wants the model."""
    until_true(lambda: not session.turns.busy)


@pytest.mark.parametrize("how", ["leaves", "cancels"])
def test_a_sweep_ends_with_who_wanted_it(url, session, picture, runs, how) -> None:
    asked = [uploaded(url, picture), f"Does it end when one {how}?", METHODS, RATIOS]
    event = begin(url, "sweep", *asked)
    address = f"{url}gradio_api/call/sweep/{event}"
    with httpx.Client(**PATIENT) as client, client.stream("GET", address):
        until_true(lambda: len(runs) >= 2)
        if how == "cancels":
            body = {"session_hash": event, "fn_index": 0, "event_id": event}
            httpx.post(f"{url}gradio_api/cancel", json=body, **PATIENT)
            until_true(lambda: ATTENDANCE.gone(event))
    until_true(lambda: ATTENDANCE.gone(event))
    quiet(session)
    assert len(runs) < len(METHODS) * len(RATIOS) / 2
    assert ATTENDANCE.gone(event)


def test_a_question_comes_in_between_the_runs_of_a_sweep(url, session, picture, runs) -> None:
    image = uploaded(url, picture)
    event = begin(url, "sweep", image, "Who is first?", METHODS, RATIOS)
    address = f"{url}gradio_api/call/sweep/{event}"
    with httpx.Client(**PATIENT) as client, client.stream("GET", address):
        until_true(lambda: len(runs) >= 2)
        short = begin(url, "ask", image, QUESTION, "grid", 0.5)
        told = httpx.get(f"{url}gradio_api/call/ask/{short}", **PATIENT).text
        assert "complete" in told
        assert "grid" in runs
        assert len(runs) < len(METHODS) * len(RATIOS), "the sweep was not waited for"
    quiet(session)


def test_a_call_that_was_answered_leaves_nothing(session, examples, picture) -> None:
    page = build(session, examples)
    page.launch(**launch_settings(), prevent_thread_lock=True, quiet=True)
    try:
        queue, holder, url = page._queue, page.app.state_holder, page.local_url
        known = (
            queue.pending_event_ids_session,
            queue.pending_messages_per_session,
            queue.event_ids_to_events,
            holder.session_data,
        )
        image = uploaded(url, picture)
        for text in (QUESTION, ""):
            event = begin(url, "ask", image, text, "random", 0.5)
            assert httpx.get(f"{url}gradio_api/call/ask/{event}", **PATIENT).status_code == 200
            until_true(lambda key=event: not any(key in one for one in known))
    finally:
        page.close()


@pytest.mark.parametrize(
    ("method", "path", "query", "key"),
    [
        ("GET", "/gradio_api/call/ask/abc", b"", "abc"),
        ("GET", "/gradio_api/call/v2/ask/abc", b"", "abc"),
        ("POST", "/gradio_api/call/ask", b"", None),
        ("GET", "/gradio_api/queue/data", b"session_hash=xyz", "xyz"),
        ("GET", "/gradio_api/queue/data", b"", None),
        ("POST", "/gradio_api/queue/data", b"session_hash=xyz", None),
        ("GET", "/config", b"", None),
    ],
)
def test_listeners_are_known_by_what_they_listen_to(method, path, query, key) -> None:
    assert listened_to({"method": method, "path": path, "query_string": query}) == key


def listen(attendance: Attendance, leaves: bool) -> None:
    """One listener, who leaves before the end or is told everything."""

    async def app(scope, receive, send) -> None:
        if leaves:
            assert (await receive())["type"] == "http.disconnect"
            return
        await send({"type": "http.response.body", "body": b"all", "more_body": False})

    async def receive():
        if not leaves:
            await asyncio.sleep(SECONDS)
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/gradio_api/call/ask/abc"}
    # In a thread of its own: the browser's driver has a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(Leaving(app, attendance)(scope, receive, send))).result()


def test_who_was_told_everything_has_not_left() -> None:
    attendance = Attendance()
    listen(attendance, leaves=False)
    assert not attendance.gone("abc")
    listen(attendance, leaves=True)
    assert attendance.gone("abc")
    assert not attendance.gone(None, "another")
    attendance.came("abc")
    assert not attendance.gone("abc"), "back again"
    attendance.came("abc")
    attendance.went("abc", early=True)
    assert not attendance.gone("abc"), "the other one still listens"


def test_who_breaks_off_after_the_last_word_has_not_left() -> None:
    left = threading.Event()

    class Watched(Attendance):
        def went(self, key: str, early: bool) -> None:
            super().went(key, early)
            left.set()

    async def app(scope, receive, send) -> None:
        last = {"msg": "close_stream", "event_id": None}
        body = f"data: {json.dumps(last, separators=(',', ':'))}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        while not left.is_set():
            await asyncio.sleep(0.01)
        heard = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        assert not heard.done(), "Gradio would end what was asked for since"
        heard.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    told = threading.Event()

    async def receive():
        while not told.is_set():
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        told.set()

    attendance = Watched()
    scope = {"type": "http", "method": "GET", "path": "/gradio_api/queue/data"}
    scope["query_string"] = b"session_hash=abc"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(Leaving(app, attendance)(scope, receive, send))).result()
    assert not attendance.gone("abc")


def test_who_asks_anew_is_there_before_they_listen() -> None:
    attendance = Attendance()
    attendance.came("abc")
    attendance.went("abc", early=True)
    body = json.dumps(
        {"data": ['"session_hash":"xyz"', "x" * 9000], "session_hash": "abc"}
    ).encode()
    parts = [body[:5000], body[5000:9010], body[9010:]]
    messages = [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
    ]
    heard = []

    async def app(scope, receive, send) -> None:
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            heard.append(message["body"])
            assert attendance.gone("abc") is more

    async def receive():
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join"}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(Leaving(app, attendance)(scope, receive, None))).result()
    assert b"".join(heard) == body


def test_few_of_those_who_left_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr("pruneviz.ui.shared.attending.REMEMBERED", 2)
    attendance = Attendance()
    for key in "abc":
        attendance.cancelled(key)
    assert [attendance.gone(key) for key in "abc"] == [False, True, True]


def test_a_visitors_second_run_waits_for_the_first() -> None:
    visitors, order, waits = Visitors(), [], threading.Event()
    visitors.enter("one", 1)
    visitors.enter("another", 2)

    def second() -> None:
        waits.set()
        visitors.enter("one", 3)
        order.append("second")
        visitors.leave("one", 3)

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    assert waits.wait(SECONDS)
    until_true(lambda: len(visitors._lines["one"]) == 2)
    order.append("first")
    visitors.leave("one", 1)
    thread.join(SECONDS)
    visitors.leave("another", 2)
    assert order == ["first", "second"]
    assert not visitors._lines


def test_a_run_of_the_page_ends_when_its_visitor_has_left(monkeypatch) -> None:
    from pruneviz.engine.turns import check
    from pruneviz.ui.shared import attending

    closed = []

    def items():
        try:
            yield 1
            check()
            raise AssertionError("it goes on")
        except AbandonedError:
            closed.append(True)
            raise

    left: list[bool] = []
    monkeypatch.setattr(attending, "gone", lambda: lambda: bool(left))
    with closing(attending.attended(items())) as run:
        assert next(run) == 1
        left.append(True)
        assert list(run) == []
    assert closed
