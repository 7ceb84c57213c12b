"""The wheel in an environment of its own: it answers a question and serves the page."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from gradio_client import Client

import pruneviz
from pruneviz.methods import list_methods
from tests.packaging.conftest import ROOT

pytestmark = pytest.mark.slow
PATIENCE = 600


LOOK = """
import importlib.util, json, pruneviz
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import sample_scene
print(json.dumps({
    "version": pruneviz.__version__,
    "file": pruneviz.__file__,
    "others": [name for name in ("training", "tests", "app") if importlib.util.find_spec(name)],
    "scene": render(sample_scene(3))[0].size,
}))
"""


def test_the_package_is_the_wheels_and_all_there_is(environment) -> None:
    done = environment.run("python", "-c", LOOK)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == pruneviz.__version__
    assert found["file"].startswith(str(environment.folder))
    assert found["others"] == []
    assert found["scene"] == [224, 224]


def test_it_answers(environment) -> None:
    picture = ROOT / "assets" / "examples" / "cat.png"
    done = environment.run("pruneviz", "ask", str(picture), "What can you see?", "--out", "results")
    assert done.returncode == 0, done.stderr
    assert "Baseline: this is a cat." in done.stdout
    results = environment.outside / "results"
    assert json.loads((results / "answers.json").read_text())["method"] == "transprune"
    assert (results / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_it_lists_the_methods(environment) -> None:
    done = environment.run("python", "-m", "pruneviz", "methods")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list_methods()


def test_it_serves_the_page_until_interrupted(environment) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with started(environment, "pruneviz", "serve", "--port", str(port)) as program:
        assert '"title":"PruneViz"' in answer(program, url).text
        listed = Client(url, verbose=False).predict(api_name="/methods")
        assert [one["name"] for one in listed] == list_methods()
        program.send_signal(signal.SIGINT)
        output, _ = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, output
    assert f"PruneViz is at {url}" in output
    assert "Traceback" not in output


@contextmanager
def started(environment, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    program = subprocess.Popen(  # noqa: S603
        [environment.program(name), *arguments],
        cwd=environment.outside,
        env=environment.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that started the tests in the background lets them ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def answer(program: subprocess.Popen[str], url: str) -> httpx.Response:
    """The page, as soon as it is there."""
    end = time.monotonic() + PATIENCE
    while program.poll() is None and time.monotonic() < end:
        try:
            return httpx.get(url, timeout=PATIENCE).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.2)
    program.kill()
    raise AssertionError(f"no page at {url}:\n{program.communicate()[0]}")
