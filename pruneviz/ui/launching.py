"""How the app is served: alone, on this machine, with bounded disk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.middleware import Middleware

from pruneviz.hosts import Addresses
from pruneviz.scratch import Scratch
from pruneviz.ui.inputs.examples import examples_dir
from pruneviz.ui.serving.around import Layer, around
from pruneviz.ui.serving.failing import Failing, Trimming
from pruneviz.ui.serving.guard import Guard
from pruneviz.ui.serving.leaving import Leaving
from pruneviz.ui.serving.scripts import Announcing, route
from pruneviz.ui.shared.static import path_of
from pruneviz.ui.theme import make_theme

MAX_FILE_SIZE = "64mb"
SESSIONS = 100
"""Visitors whose page is remembered; what those unused for longest had on theirs is forgotten."""
THREADS = 100
"""Most handlers at work or waiting for their turn at once."""


def launch_settings(
    host: str = "127.0.0.1",
    port: int | None = None,
    mcp: bool = False,
    allowed: Sequence[str] = (),
    scratch: Scratch | None = None,
) -> dict[str, Any]:
    """Arguments for ``Blocks.launch``.

    `mcp` offers the public endpoints as MCP tools, too; `allowed` are names that a proxy gives to
    the server; `scratch` is where uploads lie, if that is to be bounded.
    """
    folder = examples_dir()
    layers: list[Layer] = [
        Announcing,
        Leaving,
        partial(Guard, addresses=Addresses.of(host, allowed)),
    ]
    if scratch is not None:
        layers.insert(0, partial(Trimming, scratch=scratch))
    return {
        "server_name": host,
        "server_port": port,
        "theme": make_theme(),
        "css_paths": [
            path_of(name)
            for name in (
                "shared/page.css",
                "ask/view.css",
                "ask/flow.css",
                "ask/looks.css",
                "ask/live.css",
                "compare/compare.css",
                "sweep/sweep.css",
                "howmuch/howmuch.css",
            )
        ],
        "head_paths": [path_of("shared/frame.html")],
        "favicon_path": path_of("shared/icon.svg"),
        "max_file_size": MAX_FILE_SIZE,
        "allowed_paths": [str(folder)] if folder else [],
        "footer_links": ["api", "settings"],
        # Pictures would stay in the browser's storage.
        "run_history": False,
        "show_error": True,
        "share": False,
        "mcp_server": mcp,
        "ssr_mode": False,
        "state_session_capacity": SESSIONS,
        "max_threads": THREADS,
        "app_kwargs": {
            "routes": [route()],
            "lifespan": around(*layers),
            "middleware": [Middleware(Failing)],
        },
    }
