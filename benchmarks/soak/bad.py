"""Two hundred inputs that no careful program sends."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

FILE = {"path": "{uploaded}", "meta": {"_type": "gradio.FileData"}}
GOOD: dict[str, dict[str, Any]] = {
    "ask": {
        "image": FILE,
        "question": "What is this?",
        "method": "random",
        "keep_ratio": 0.5,
        "model": "",
    },
    "compare": {
        "image": FILE,
        "question": "What is this?",
        "methods": ["random"],
        "budget": 0.5,
        "budget_kind": "final",
        "matters": False,
        "model": "",
    },
    "sweep": {
        "image": FILE,
        "question": "What is this?",
        "methods": ["random"],
        "keep_ratios": [0.5],
        "model": "",
    },
}
"""Arguments of calls that are right, in the order of the endpoints' parameters."""
HUGE = 10**400
VALUES: dict[str, list[Any]] = {
    "image": [
        None,
        "/etc/hostname",
        "",
        7,
        [],
        {},
        {"path": None, "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
        {"path": "../../etc/hostname", "meta": {"_type": "gradio.FileData"}},
        {"path": 7, "meta": {"_type": "gradio.FileData"}},
        {"path": "{uploaded}"},
        {"path": "{uploaded}", "meta": []},
        {"url": "http://127.0.0.1:1/a.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "http://127.0.0.1:1/a.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "file:///etc/hostname", "meta": {"_type": "gradio.FileData"}},
    ],
    "question": [
        None,
        "",
        " \n ",
        7,
        True,
        ["What is this?"],
        {"text": "What is this?"},
        "\ud800",
        "What \udfff is this?",
        "cat " * 50_000,
    ],
    "method": [
        None,
        "",
        "nothing",
        7,
        ["random"],
        {},
        "RANDOM",
        "../fastv",
        "\ud800",
        "random " * 9,
    ],
    "methods": [
        None,
        "random",
        7,
        1e308,
        [],
        [None],
        [7],
        [["random"]],
        {},
        ["nothing"],
        ["\ud800"],
        [{}],
    ],
    "keep_ratio": [
        None,
        "half",
        "",
        0,
        -1,
        2,
        1e-300,
        HUGE,
        True,
        [0.5],
        {},
        [],
        "NaN",
        "-Infinity",
    ],
    "budget": [None, "half", 0, -1, 2, HUGE, -HUGE, True, [0.5], {}, "NaN"],
    "budget_kind": [None, "", "flops", 7, ["final"], {}, "\ud800"],
    "matters": [None, "", "yes", 7, [True], {}],
    "keep_ratios": [
        None,
        0.5,
        "0.5",
        [],
        [None],
        ["half"],
        [0],
        [2],
        [HUGE],
        [True],
        [[0.5]],
        {},
        [n / 100 for n in range(1, 90)],
    ],
    "model": [
        7,
        "nothing",
        "/etc",
        "../..",
        ["embedded"],
        {},
        "\ud800",
        "a\0b",
        "x" * 5_000,
        "no/model",
    ],
}
"""What each parameter must not be."""
BODIES = (
    "",
    "{",
    "[]",
    "null",
    "7",
    '"text"',
    "{}",
    '{"data": null}',
    '{"data": 7}',
    '{"data": {}}',
    '{"data": []}',
    '{"data": [1, 2, 3, 4, 5, 6, 7, 8, 9]}',
    '{"data": [[[[[[]]]]]]}',
    '{"data": [' + "[" * 20_000 + "]" * 20_000 + "]}",
    '{"data": [NaN]}',
    '{"data": ["\\ud800"]}',
    '{"data": [], "fn_index": 999, "session_hash": "a"}',
    '{"data": [], "session_hash": 7}',
    "\x00\x01\x02",
)
PATHS = (
    "call/nothing",
    "call/v2/nothing",
    "call/",
    "call/../ask",
    "run/nothing",
    "run/ask",
    "api/ask",
    "queue/join",
    "cancel",
    "reset",
    "component_server",
    "nothing",
    "call/%00",
    "call/" + "x" * 3_000,
)


def calls() -> Iterator[tuple[str, str, str]]:
    """Name, path below the API and JSON body of calls with one wrong argument."""
    for endpoint, good in GOOD.items():
        for parameter, values in VALUES.items():
            for value in values if parameter in good else ():
                data = list((good | {parameter: value}).values())
                body = json.dumps({"data": data})
                for word in ("NaN", "-Infinity"):
                    body = body.replace(f'"{word}"', word)
                yield f"{endpoint}: {parameter} = {repr(value)[:40]}", f"call/{endpoint}", body


def bodies() -> Iterator[tuple[str, str, str]]:
    """Bodies that are no calls, and calls of what is not there."""
    for body in BODIES:
        yield f"a body {body[:40]!r}", "call/ask", body
    for path in PATHS:
        yield f"an endpoint {path[:40]!r}", path, '{"data": []}'


def pictures() -> Iterator[tuple[str, bytes]]:
    """Name and content of files that are no pictures to be asked about."""
    png = _png(8, 8)
    yield "empty file", b""
    yield "text", b"What is this?"
    yield "HTML", b"<html><script>alert(1)</script></html>"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    yield "half a PNG", png[: len(png) // 2]
    yield "60000 x 30 PNG", _png(60_000, 30)
    yield "30 x 60000 PNG", _png(30, 60_000)
    yield "PNG of 4 gigapixels in its header", _png(65_000, 65_000, rows=1)
    yield "61 megapixel PNG", _png(7_900, 7_800)
    yield "PNG of no size", _png(0, 0)
    yield "JPEG without content", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20) + b"\xff\xd9"
    yield "GIF without frames", b"GIF89a\xff\xff\xff\xff\x00\x00\x00;"
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "ZIP", b"PK\x03\x04" + bytes(60)
    yield "noise", bytes(range(256)) * 40


def _png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey PNG; `rows` are those that are really there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    data = b"".join(
        packer.compress(bytes(width + 1)) for _ in range(height if rows is None else rows)
    )
    data += packer.flush()
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
