"""Calls of what is not there and disks without room get a status and a line."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import ClientDisconnect

from pruneviz.scratch import Scratch
from pruneviz.ui.ask.exporting import make_writer
from pruneviz.ui.serving.failing import FAILED, UNKNOWN, Failing, Trimming
from pruneviz.ui.shared.failures import explain
from pruneviz.ui.shared.shown import Held
from tests.ui.conftest import PATIENT


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/nothing", {"data": []}),
        ("call/v2/nothing", {}),
        ("run/nothing", {"data": []}),
        ("queue/join", {"data": [], "fn_index": 10**30, "session_hash": "a"}),
        ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "a"}),
        (
            "component_server",
            {"data": 1, "component_id": 10**9, "session_hash": "a", "fn_name": "kept_at"},
        ),
    ],
)
def test_unknown_endpoints(url, path, body) -> None:
    answer = httpx.post(f"{url}gradio_api/{path}", json=body, **PATIENT)
    assert answer.status_code in (404, 422)
    assert answer.status_code == 422 or answer.json() == {"detail": UNKNOWN}


def sent(app_error: Exception, path: str = "/gradio_api/upload") -> tuple[int, str]:
    """What a client gets where Gradio raises an error."""
    messages = []

    async def app(scope, receive, send) -> None:
        raise app_error

    async def send(message) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(Failing(app)(scope, None, send))).result()
    return messages[0]["status"], json.loads(messages[1]["body"])["detail"]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OSError(errno.ENOSPC, "no"), 507, "The disk of the server is full."),
        (OSError(errno.EROFS, "no"), 507, "The disk of the server is read-only."),
        (PermissionError(errno.EACCES, "no"), 507, "may not write"),
        (ValueError("secret"), 400, FAILED),
        (RecursionError("secret"), 400, FAILED),
        (RuntimeError("secret"), 500, FAILED),
    ],
)
def test_errors_become_a_status_and_a_line(error, status, line) -> None:
    found = sent(error)
    assert found[0] == status
    assert line in found[1]
    assert "secret" not in found[1]


def test_what_is_missing_elsewhere_is_no_unknown_endpoint() -> None:
    assert sent(KeyError("a"), "/gradio_api/call/ask") == (404, UNKNOWN)
    assert sent(KeyError("a"), "/gradio_api/upload")[0] == 500


def test_an_upload_makes_older_ones_go(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    async def app(scope, receive, send) -> None:
        (scratch.served / "new").write_bytes(b"x" * 50)

    with Scratch.opened(10) as scratch, ThreadPoolExecutor(1) as pool:
        for path, left in (("/config", True), ("/gradio_api/upload", False)):
            scope = {"type": "http", "path": path}
            pool.submit(lambda s=scope: asyncio.run(Trimming(app, scratch)(s, None, None))).result()
            assert (scratch.served / "new").exists() is left


def test_of_an_upload_that_fails_nothing_is_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    upload = {"type": "http", "path": "/gradio_api/upload"}

    async def fails(part: Path) -> None:
        opened.append(part.open("wb"))
        opened[0].write(b"half")
        opened[0].flush()
        os.utime(part, (1e9, 1e9))
        raise ClientDisconnect

    async def slow(part: Path) -> None:
        """Still being written when the other one fails."""
        part.write_bytes(b"half")
        with suppress(ClientDisconnect):
            await around(upload, lambda: fails(scratch.served / "tmpfailed"), None)
        left.append(sorted(path.name for path in scratch.served.glob("tmp?*")))

    async def app(_, act, __) -> None:
        await act()

    left, opened = list[list[str]](), list[IO[bytes]]()
    with Scratch.opened(10**6) as scratch, ThreadPoolExecutor(1) as pool:
        around = Trimming(app, scratch)
        whole = scratch.served / "0a1b" / "tmp.png"
        whole.parent.mkdir()
        whole.touch()
        one = around(upload, lambda: slow(scratch.served / "tmpslow"), None)
        pool.submit(asyncio.run, one).result()
        left.append(sorted(path.name for path in scratch.served.glob("tmp?*")))
        assert left == [["tmpslow"], []]
        assert os.fstat(opened[0].fileno()).st_size == 0, "Gradio closes it when it is collected"
        opened[0].close()
        assert whole.exists()


def test_who_leaves_in_the_middle_of_an_upload_is_told_nothing(url, caplog) -> None:
    where = urlsplit(url)
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 999999\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\nContent-Disposition: "
        'form-data; name="files"; filename="a.png"\r\n\r\n'
    )
    left = threading.Event()
    real = Failing.__call__

    async def call(self, scope, *rest) -> None:
        await real(self, scope, *rest)
        if scope.get("path") == "/gradio_api/upload":
            left.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Failing, "__call__", call)
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(head.encode() + b"x" * 10_000)
        assert left.wait(PATIENT["timeout"])
    assert not caplog.records


def test_a_full_disk_is_said_on_the_page(monkeypatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert explain(full) == "The disk of the server is full."

    def write(*_) -> str:
        raise full

    held = Held(None)
    monkeypatch.setattr(held, "write", write)
    monkeypatch.setattr("pruneviz.ui.ask.exporting.file_name", lambda *_: "a.png")
    assert "The disk of the server is full." in make_writer("figure.png", str)(held)[1]
