"""A server of its own for a measurement, and calls of it as any program may make them."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Seconds after which a call counts as lost."""


@dataclass(frozen=True)
class Reply:
    """What became of a call.

    Attributes
    ----------
    status : int
        Of HTTP; 0 where there was no answer at all.
    text : str
        The result or the line that says why there is none.
    seconds : float
        From the first byte sent to the last one received.
    """

    status: int
    text: str
    seconds: float

    @property
    def answered(self) -> bool:
        """Whether there is a result."""
        return self.status == 200 and not self.text.startswith("event: error")


class Server:
    """A running page.

    Attributes
    ----------
    url : str
        Where it is.
    folder : Path
        What it writes lies below.
    """

    def __init__(self, process: subprocess.Popen[str], port: int, folder: Path) -> None:
        self._process, self.folder = process, folder
        self.url = f"http://127.0.0.1:{port}/"

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def memory(self, which: str = "VmRSS") -> float:
        """MB that it holds; ``"VmHWM"``: the most that it has held."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in text.splitlines() if line.startswith(f"{which}:"))
        return int(line.split()[1]) / 1000

    def disk(self) -> float:
        """MB that lie in its folder."""
        sizes = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                try:
                    sizes.append((Path(folder) / name).stat().st_size)
                except OSError:  # just deleted
                    continue
        return sum(sizes) / 1e6

    def limit_files(self, size: int) -> None:
        """From now on it can write no file of more bytes, as on a full disk."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, size))

    def upload(self, data: bytes, name: str = "picture.png") -> Reply:
        """Send a picture; the text is its path there."""
        sent = self._post("upload", files={"files": (name, data)})
        if sent.status != 200:
            return sent
        return Reply(200, json.loads(sent.text)[0], sent.seconds)

    def call(self, path: str, body: str) -> Reply:
        """Call an endpoint and wait for its result."""
        head = {"content-type": "application/json"}
        sent = self._post(path, content=body.encode(errors="replace"), headers=head)
        if sent.status != 200 or "event_id" not in sent.text:
            return sent
        event = json.loads(sent.text)["event_id"]
        began = time.monotonic()
        try:
            found = httpx.get(f"{self.url}gradio_api/{path}/{event}", timeout=PATIENCE)
        except httpx.HTTPError as error:
            return Reply(0, repr(error), time.monotonic() - began)
        return Reply(found.status_code, found.text, sent.seconds + time.monotonic() - began)

    def ask(self, endpoint: str, *data: Any) -> Reply:
        """Call an endpoint with these arguments."""
        return self.call(f"call/{endpoint}", json.dumps({"data": data}))

    def leave(self, endpoint: str, *data: Any, after: float = 1.0) -> None:
        """Call an endpoint and go before there is a result."""
        sent = self._post(f"call/{endpoint}", json={"data": data})
        if sent.status != 200:
            return
        event = json.loads(sent.text)["event_id"]
        address = f"{self.url}gradio_api/call/{endpoint}/{event}"
        with httpx.Client(timeout=PATIENCE) as client, client.stream("GET", address):
            time.sleep(after)

    def page(self) -> Reply:
        """Open the page."""
        began = time.monotonic()
        try:
            found = httpx.get(self.url, timeout=PATIENCE)
        except httpx.HTTPError as error:
            return Reply(0, repr(error), time.monotonic() - began)
        return Reply(found.status_code, found.text, time.monotonic() - began)

    def visit(self, session: str) -> list[Reply]:
        """Open the page as a browser does: what it loads of itself is asked for, too."""
        config = httpx.get(f"{self.url}config", timeout=PATIENCE).json()
        opened = [one["id"] for one in config["dependencies"] if (0, "load") in _targets(one)]
        return [self.page(), *(self._join(session, number) for number in opened)]

    def _join(self, session: str, function: int) -> Reply:
        """Let one of the page's own handlers that take nothing run for a visitor."""
        body = {"data": [], "fn_index": function, "session_hash": session}
        sent = self._post("queue/join", json=body)
        if sent.status != 200:
            return sent
        began, address = time.monotonic(), f"{self.url}gradio_api/queue/data?session_hash={session}"
        try:
            found = httpx.get(address, timeout=PATIENCE)  # ends with the visitor's last run
        except httpx.HTTPError as error:
            return Reply(0, repr(error), time.monotonic() - began)
        return Reply(found.status_code, found.text, sent.seconds + time.monotonic() - began)

    def _post(self, path: str, **what: Any) -> Reply:
        began = time.monotonic()
        try:
            found = httpx.post(f"{self.url}gradio_api/{path}", timeout=PATIENCE, **what)
        except httpx.HTTPError as error:
            return Reply(0, repr(error), time.monotonic() - began)
        return Reply(found.status_code, found.text, time.monotonic() - began)


def _targets(dependency: dict[str, Any]) -> list[tuple[int, str]]:
    """Components and events that start a handler of the page."""
    return [(number, event) for number, event in dependency["targets"]]


def file(path: str) -> dict[str, Any]:
    """An uploaded picture as an argument."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@contextmanager
def running(*options: str, **variables: str) -> Iterator[Server]:
    """A page with the embedded model on the CPU, for the time of a block."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        port = _free_port()
        command = [sys.executable, "app.py", "--port", str(port), "--device", "cpu", *options]
        around = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": folder, **variables}
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=around, stderr=subprocess.PIPE, text=True
        )
        try:
            _wait(process)
            yield Server(process, port, Path(folder))
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[str]) -> None:
    """Until it serves; what it says is read, or it would stop when the pipe is full."""
    import threading

    stream = process.stderr
    if stream is None:
        raise RuntimeError("The server has no output.")
    for line in stream:
        if " is at http" in line:
            threading.Thread(target=lambda: [None for _ in stream], daemon=True).start()
            return
    raise RuntimeError("The server did not start.")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
