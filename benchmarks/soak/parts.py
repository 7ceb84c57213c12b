"""The parts of the soak; each gives rows of a table."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from benchmarks.soak import bad
from benchmarks.soak.server import ROOT, Reply, Server, file, running
from pruneviz.methods import list_methods

CAT = ROOT / "assets" / "examples" / "cat.png"
QUESTIONS = ("What is this?", "Where is the cat?", "Is there a dog?", "What colour is the card?")
CLIENTS, WORKERS = 50, 4
LARGE = (7_740, 7_740)
"""Just below the most pixels that are read."""
SETTLED = 40.0
"""Seconds after which the server has given back what is free."""
SAMPLES = 10.0
"""Seconds between two looks at memory and disk."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    part, figure : str
        What was done, and what came of it.
    holds : bool
        Whether it is as it should be.
    """

    part: str
    figure: str
    holds: bool


def many_clients() -> list[Row]:
    """Fifty open the page, upload a picture and ask at the same moment."""
    together = threading.Barrier(CLIENTS)
    with running() as server:

        def visit(number: int) -> list[Reply]:
            together.wait()
            sent = server.upload(CAT.read_bytes())
            method = list_methods()[number % len(list_methods())]
            asked = server.ask("ask", file(sent.text), QUESTIONS[number % 4], method, 0.5)
            return [server.page(), sent, asked]

        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            replies = [one for found in pool.map(visit, range(CLIENTS)) for one in found]
        lost = [one for one in replies if not one.answered]
        spent = time.monotonic() - began
    slowest = max(one.seconds for one in replies)
    times = f"all in {spent:.0f} s, longest {slowest:.0f} s"
    line = f"{len(lost)} lost of {len(replies)} requests; {times}"
    return [Row(f"{CLIENTS} clients at once: page, upload, question", line, not lost)]


def mixed(minutes: float, seed: int = 0) -> list[Row]:
    """Requests of all kinds, some of which leave, are wrong or large; memory and disk over time."""
    end, kinds, lost = time.monotonic() + 60 * minutes, Counter[str](), list[Reply]()
    memory, disk = list[float](), list[float]()
    with running("--max-disk", "64") as server:

        def work(number: int) -> None:
            random = Random(f"{seed} {number}")  # noqa: S311 - a draw, no secret
            while time.monotonic() < end:
                kind, replies = _request(server, random)
                kinds[kind] += 1
                lost.extend(one for one in replies if one.status in (0, 500, 502, 503, 504))

        with ThreadPoolExecutor(WORKERS) as pool:
            working = [pool.submit(work, number) for number in range(WORKERS)]
            while time.monotonic() < end:
                time.sleep(min(SAMPLES, max(0.0, end - time.monotonic())))
                memory.append(server.memory())
                disk.append(server.disk())
            for one in working:
                one.result()
        # What is left when all have gone.
        memory.append(server.memory())
        most = server.memory("VmHWM")
    quarters = [np.median(part) for part in np.array_split(np.asarray(memory), 4)]
    shown = ", ".join(f"{one:.0f}" for one in quarters)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    part = f"{minutes:g} minutes of mixed requests, {WORKERS} at a time"
    return [
        Row(part, f"{sum(kinds.values())} requests, {len(lost)} lost ({counted})", not lost),
        Row(
            "… memory",
            f"medians of the quarters {shown} MB, at the end {memory[-1]:.0f}, most {most:.0f}",
            bool(quarters[-1] < 1.1 * quarters[1]),
        ),
        Row("… disk, limit 64 MB", f"most {max(disk):.0f} MB", max(disk) < 64 + 70),
    ]


def _request(server: Server, random: Random) -> tuple[str, list[Reply]]:
    kind = random.choices(
        ["ask", "compare", "sweep", "left sweep", "bad call", "large picture", "page", "methods"],
        [40, 8, 2, 5, 20, 1, 10, 14],
    )[0]
    if kind == "page":
        return kind, [server.page()]
    if kind == "methods":
        return kind, [server.ask("methods")]
    sent = server.upload(_picture(random) if kind != "large picture" else _large(random))
    question, path = random.choice(QUESTIONS), file(sent.text)
    methods = random.sample(list_methods(), 3)
    if kind == "bad call":
        _, path_there, body = random.choice([*bad.calls(), *bad.bodies()])
        return kind, [sent, server.call(path_there, body.replace("{uploaded}", sent.text))]
    if kind == "left sweep":
        server.leave("sweep", path, question, methods, [0.5, 0.25, 0.1, 0.05])
        return kind, [sent]
    if kind == "sweep":
        return kind, [sent, server.ask("sweep", path, question, methods[:1], [0.5, 0.1])]
    if kind == "compare":
        return kind, [sent, server.ask("compare", path, question, methods, 0.25)]
    return kind, [sent, server.ask("ask", path, question, methods[0], 0.25)]


def many_requests(count: int = 500, first: int = 100) -> list[Row]:
    """Visits of the page and calls in turn, about one picture; what one more takes for good."""
    memory, lost = dict[int, float](), list[Reply]()
    with running() as server:
        path = file(server.upload(CAT.read_bytes()).text)
        for number in range(1, count + 1):
            if number % 2:
                replies = server.visit(f"visitor{number}")
            else:
                method = list_methods()[number // 2 % len(list_methods())]
                replies = [server.ask("ask", path, QUESTIONS[number // 2 % 4], method, 0.5)]
            lost.extend(one for one in replies if not one.answered)
            if number in (first, count // 2, count):
                time.sleep(SETTLED)
                memory[number] = server.memory()
    each = (memory[count] - memory[first]) / (count - first)
    shown = ", ".join(f"{megabytes:.0f} MB after {number}" for number, megabytes in memory.items())
    line = f"{len(lost)} lost; memory {shown}: {each:.2f} MB a request"
    return [Row(f"{count} page visits and questions in turn", line, not lost and each < 0.1)]


def large_pictures(count: int = 8) -> list[Row]:
    """Pictures of sixty megapixels at once; then as many small questions."""
    with running() as server:
        warm = server.upload(CAT.read_bytes()).text
        for _ in range(count):
            server.ask("ask", file(warm), QUESTIONS[0], "random", 0.5)
        before = server.memory()
        draws = map(Random, range(count))
        paths = [server.upload(_large(draw), "large.jpg").text for draw in draws]
        with ThreadPoolExecutor(count) as pool:
            replies = list(
                pool.map(lambda path: server.ask("ask", file(path), "What?", "random", 0.5), paths)
            )
        most = server.memory("VmHWM")
        time.sleep(1)
        after = server.memory()
    answered = sum(one.answered for one in replies)
    # The encoded questions and the reduced pictures may be remembered: that is bounded.
    line = f"{answered} answered; before {before:.0f} MB, most {most:.0f} MB, after {after:.0f} MB"
    return [Row(f"{count} pictures of 60 megapixels at once", line, answered == count)]


def bad_inputs() -> list[Row]:
    """Each of :mod:`benchmarks.soak.bad` once; a good question afterwards."""
    replies: list[Reply] = []
    with running() as server:
        path = server.upload(CAT.read_bytes()).text
        for _, endpoint, body in (*bad.calls(), *bad.bodies()):
            replies.append(server.call(endpoint, body.replace("{uploaded}", path)))
        for _, data in bad.pictures():
            sent = server.upload(data)
            replies.append(server.ask("ask", file(sent.text), "What?") if sent.answered else sent)
        well = server.ask("ask", file(path), QUESTIONS[0], "random", 0.5).answered
    wrong = [one for one in replies if one.answered or one.status in (0, *range(500, 600))]
    slowest = max(one.seconds for one in replies)
    line = (
        f"{len(replies) - len(wrong)} refused in a line, {len(wrong)} not; longest "
        f"{slowest:.1f} s; then a question is {'answered' if well else 'NOT answered'}"
    )
    return [Row(f"{len(replies)} bad inputs", line, well and not wrong)]


def stuck_download() -> list[Row]:
    """A hub that takes connections and never answers."""
    with _silent() as hub, running(HF_ENDPOINT=hub, HF_HUB_OFFLINE="0") as server:
        path = server.upload(CAT.read_bytes()).text
        data = [file(path), QUESTIONS[0], "random", 0.5]
        alone = max(server.ask("ask", *data).seconds for _ in range(3))
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(lambda: server.ask("ask", *data, "some/model"))
            meanwhile = []
            while not stuck.done():
                meanwhile.append(server.ask("ask", *data))
                time.sleep(1)
        reply = stuck.result()
    fine = all(one.answered for one in meanwhile)
    slowest = max(one.seconds for one in meanwhile)
    told = "in a line" if "No model found" in reply.text else "NOT in a line"
    line = (
        f"given up after {reply.seconds:.0f} s {told}; {len(meanwhile)} other questions meanwhile, "
        f"longest {slowest:.1f} s (alone {alone:.1f} s)"
    )
    return [Row("a download that never comes", line, fine and "No model" in reply.text)]


def full_disk() -> list[Row]:
    """A disk that takes no more than a megabyte of a file."""
    with running() as server:
        small = server.upload(CAT.read_bytes()).text
        server.limit_files(10**6)
        noise = np.random.default_rng(0).integers(0, 255, (1200, 1200, 3), dtype=np.uint8)
        data = io.BytesIO()
        Image.fromarray(noise).save(data, "PNG")
        refused = server.upload(data.getvalue())
        well = server.ask("ask", file(small), QUESTIONS[0], "random", 0.5).answered
        alive = server.alive
    line = (
        f"upload: {refused.status} {refused.text}; other questions {'answered' if well else 'LOST'}"
    )
    return [Row("a full disk", line, refused.status == 507 and well and alive)]


def _picture(random: Random) -> bytes:
    """A small picture that no other request has."""
    with Image.open(CAT) as image:
        changed = image.convert("RGB").resize((random.randint(60, 900), random.randint(60, 900)))
    data = io.BytesIO()
    changed.save(data, random.choice(["PNG", "JPEG", "WEBP"]))
    return data.getvalue()


def _large(random: Random) -> bytes:
    image = Image.new("RGB", LARGE, tuple(random.randint(0, 255) for _ in range(3)))
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


@contextmanager
def _silent() -> Iterator[str]:
    """Address of a server that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def to_json(rows: list[Row]) -> str:
    """The rows for a program."""
    return json.dumps([vars(row) for row in rows], indent=1)
