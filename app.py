"""Start the page: ``python app.py``."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial

# Before Gradio and the hub client are imported: they read these once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from pruneviz.engine import Placement, Session, Shelf
from pruneviz.errors import PruneVizError
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.options import add_loading_arguments

logger = logging.getLogger("pruneviz")
NO_MCP = 'MCP needs a package that is not installed: pip install "gradio[mcp]>=6.28,<7".'


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="See what visual-token pruning removes, and what it costs."
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; anything but 127.0.0.1 lets other machines in",
    )
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--mcp",
        action="store_true",
        help='offer the API as tools of an MCP server, too; needs pip install "gradio[mcp]"',
    )
    return parser.parse_args(arguments)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say which models are offered and how they are loaded."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="'embedded' (ships with the project and is always offered), a hub id or a local "
        "folder; may be given several times, the page opens with the first",
    )
    parser.add_argument(
        "--any-model",
        action=argparse.BooleanOptionalAction,
        help="whether visitors may load any hub id or local folder by typing its name; default: "
        "only while --host keeps other machines out",
    )
    parser.add_argument(
        "--keep-models",
        type=int,
        default=1,
        metavar="N",
        help="models held in memory beside the embedded one (1)",
    )
    add_loading_arguments(parser)


def is_private(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_shelf(options: argparse.Namespace) -> Shelf:
    """The models on offer, the first one loaded, the others checked.

    Raises
    ------
    PruneVizError
        If one of them cannot be used.
    """
    anything = options.any_model
    shelf = Shelf(
        options.model or [EMBEDDED],
        any_name=is_private(options.host) if anything is None else anything,
        places=options.keep_models,
        placement=Placement(options.device, options.dtype, options.quantisation),
        make=partial(Session, newlines=options.newlines, positions=options.positions),
    )
    for name in shelf.offered[1:]:
        shelf.check(name)
    shelf.session()
    return shelf


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the model and serve the page until interrupted."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if options.mcp and importlib.util.find_spec("mcp") is None:
        logger.error(NO_MCP)
        return 2
    from pruneviz.ui import build, launch_settings  # Gradio takes seconds: --help need not wait

    try:
        page = build(make_shelf(options))
    except PruneVizError as error:
        logger.error("%s", error)
        return 2
    settings = launch_settings(options.host, options.port, options.mcp)
    try:
        page.launch(**settings, quiet=True, prevent_thread_lock=True)
    except OSError:
        logger.error(
            "Cannot listen on %s:%s: the port is taken, or the address is not this machine's. "
            "Try another --port.",
            options.host,
            options.port,
        )
        return 2
    logger.info("PruneViz is at %s (Ctrl+C ends it).", page.local_url)
    page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
