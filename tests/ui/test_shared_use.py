"""Many at once, and what is left on the disk afterwards."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file

from pruneviz import scratch
from pruneviz.methods import list_methods
from pruneviz.ui import build, launch_settings, page
from pruneviz.ui.inputs.examples import load_examples
from tests.ui.browsing import SECONDS
from tests.ui.conftest import PATIENT, connect

CLIENTS = 20
RATIOS = (0.1, 0.2, 0.3, 0.45, 0.7)
Request = tuple[Path, str, str, float]


def requests() -> list[Request]:
    """As many different requests as there are clients, over pictures, methods and ratios."""
    asked = [(e.image, text) for e in load_examples() for text in e.questions]
    rows = zip(cycle(asked), cycle(list_methods()), cycle(RATIOS), strict=False)
    return [(image, text, name, ratio) for (image, text), name, ratio in islice(rows, CLIENTS)]


def ask(client: Client, request: Request) -> dict[str, Any]:
    image, text, method, ratio = request
    return client.predict(handle_file(image), text, method, ratio, api_name="/ask")


@pytest.mark.slow
def test_twenty_at_once_get_what_each_gets_alone(url) -> None:
    wanted = requests()
    assert len(set(wanted)) == CLIENTS
    clients = [connect(url) for _ in wanted]
    alone = [ask(clients[0], request) for request in wanted]
    together = threading.Barrier(CLIENTS)

    def at_once(client: Client, request: Request) -> dict[str, Any]:
        together.wait(SECONDS)
        return ask(client, request)

    with ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(at_once, clients, wanted))
    for client in clients:
        client.close()
    for request, result, expected in zip(wanted, found, alone, strict=True):
        assert (result["question"], result["method"]) == request[1:3]
        assert result == expected
    assert len({result["baseline"]["text"] for result in found}) > 5, "they differ, so mixing shows"


def test_the_queue_admits_them() -> None:
    assert page.QUEUE > CLIENTS


def test_uploads_lie_in_the_servers_folder_and_are_deleted(
    session, examples, picture, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(scratch, "EVERY", 0.1)
    with scratch.Scratch.opened(10**9) as own:
        built = build(session, examples)
        settings = launch_settings(scratch=own)
        settings |= {"allowed_paths": [str(examples[0].image.parent)]}
        built.launch(**settings, prevent_thread_lock=True, quiet=True)
        try:
            client = connect(built.local_url)
            files = {"files": ("picture.png", picture.read_bytes())}
            sent = httpx.post(f"{built.local_url}gradio_api/upload", files=files, **PATIENT)
            (kept,) = sent.json()
            assert Path(kept).is_relative_to(own.folder)
            assert ask(client, (picture, "What is this?", "random", 0.5))["num_visual"]
            with monkeypatch.context() as hour:
                hour.setattr(scratch, "AGE", 0)  # it has passed
                end = time.monotonic() + SECONDS
                while time.monotonic() < end and list(own.folder.rglob(picture.name)):
                    time.sleep(0.2)
            assert not list(own.folder.rglob(picture.name)), "uploads of both ways are gone"
            assert ask(client, (picture, "What is this?", "random", 0.5))["num_visual"]
        finally:
            built.close()
