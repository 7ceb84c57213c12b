"""How the app is served: alone, on this machine, with bounded disk."""

from __future__ import annotations

from typing import Any

from pruneviz.ui.inputs.examples import examples_dir
from pruneviz.ui.shared.static import path_of
from pruneviz.ui.theme import make_theme

MAX_FILE_SIZE = "64mb"


def launch_settings(
    host: str = "127.0.0.1", port: int | None = None, mcp: bool = False
) -> dict[str, Any]:
    """Arguments for ``Blocks.launch``; `mcp` offers the public endpoints as MCP tools, too."""
    folder = examples_dir()
    return {
        "server_name": host,
        "server_port": port,
        "theme": make_theme(),
        "css_paths": [
            path_of(name)
            for name in (
                "shared/page.css",
                "ask/view.css",
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
    }
