"""A hub on this machine, as slow as a test wants it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0" * 40
NAME = "some/model"


class Hub(ThreadingHTTPServer):
    """Serves one folder as the model ``some/model``.

    Attributes
    ----------
    asked : list of str
        Paths that were asked for.
    stuck : set of str
        Files of which half is sent and no more; ``"*"`` for a hub that never answers.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.asked, self.stuck = folder, [], set()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if "*" in self.server.stuck:
            self.server.over.wait()
        elif path.startswith(f"/api/models/{NAME}/tree/"):
            files = sorted(self.server.folder.iterdir())
            tree = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0"}
                for f in files
            ]
            self._send(json.dumps(tree).encode(), body)
        elif path.startswith(f"/api/models/{NAME}"):
            files = sorted(self.server.folder.iterdir())
            siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
            about = {"id": NAME, "sha": COMMIT, "siblings": siblings}
            self._send(json.dumps(about).encode(), body)
        elif path.startswith(f"/{NAME}/resolve/"):
            self._file(path.rpartition("/")[2], body)
        else:
            self._send(b"{}", body, 404, {"X-Error-Code": "RepoNotFound"})

    def _file(self, name: str, body: bool) -> None:
        file = self.server.folder / name
        if not file.is_file():
            self._send(b"", body, 404, {"X-Error-Code": "EntryNotFound"})
            return
        data = file.read_bytes()
        tag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self._send(data, body, 200, tag, name in self.server.stuck)

    def _send(
        self,
        data: bytes,
        body: bool,
        status: int = 200,
        heads: dict[str, str] | None = None,
        stuck: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in (heads or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data[: len(data) // 2] if stuck else data)
            self.wfile.flush()
        if body and stuck:
            self.server.over.wait()


@contextmanager
def serving(folder: Path) -> Iterator[Hub]:
    """A running hub."""
    hub = Hub(folder)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.over.set()
        hub.shutdown()
        hub.server_close()
