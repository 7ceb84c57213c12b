"""Serve the page: what ``pruneviz serve`` and ``python app.py`` have in common."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import huggingface_hub

from pruneviz.allocator import giving_back
from pruneviz.commands.arguments import between
from pruneviz.engine import Placement, Session, Shelf
from pruneviz.errors import PruneVizError
from pruneviz.hosts import is_private, place
from pruneviz.methods import load_methods
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.options import add_loading_arguments
from pruneviz.scratch import Scratch
from pruneviz.starting import INTERRUPTED

logger = logging.getLogger("pruneviz")
LOGGING: dict[str, Any] = {"level": logging.INFO, "format": "%(message)s"}
"""How a program that serves the page speaks, as arguments of ``logging.basicConfig``."""
PURPOSE = "See what visual-token pruning removes, and what it costs."
NO_GRADIO = (
    'The page needs Gradio, which is not installed: pip install "pruneviz[app]" '
    "(in a checkout: pip install -r requirements.txt)."
)
NO_MCP = 'MCP needs a package that is not installed: pip install "gradio[mcp]>=6.28,<7".'
MOST_PORT, LEAST_DISK, MOST_MODELS = 65_535, 64, 1_000
"""Of `--port`, of `--max-disk` in MB and of `--keep-models`."""


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run a program that does nothing but serve the page; returns the exit status."""
    options = parse(arguments, prog)
    logging.basicConfig(**LOGGING)
    return serve(options)


def parse(arguments: Sequence[str] | None = None, prog: str | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog=prog, description=PURPOSE)
    add_arguments(parser)
    return parser.parse_args(arguments)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models are offered, and where the page is served."""
    add_model_arguments(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; anything but 127.0.0.1 lets other machines in",
    )
    parser.add_argument("--port", type=between("a port is a number", 1, MOST_PORT), default=7860)
    parser.add_argument(
        "--allow-host",
        action="append",
        type=allowed_host,
        default=[],
        metavar="NAME",
        help="answer under this name, too: that of a proxy in front of the page, as example.org or "
        "example.org:8443; may be given several times",
    )
    parser.add_argument(
        "--max-disk",
        type=between("a size is a number of MB", LEAST_DISK, 10**9),
        default=2048,
        metavar="MB",
        help="most that uploads and results take of the disk; the oldest go first (2048)",
    )
    parser.add_argument(
        "--method",
        action="append",
        metavar="FILE",
        help="a Python file with a pruning method of your own, offered in every tab; it is run, "
        "so take files that you trust; may be given several times",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help='offer the API as tools of an MCP server, too; needs pip install "gradio[mcp]"',
    )


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
        type=between("models held are a number", 1, MOST_MODELS),
        default=1,
        metavar="N",
        help="models held in memory beside the embedded one (1)",
    )
    add_loading_arguments(parser)


def allowed_host(text: str) -> str:
    """Check a name that the server answers to.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


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


def serve(options: argparse.Namespace) -> int:
    """Load the models and serve the page until interrupted.

    Returns
    -------
    int
        The exit status: 0 after an interrupted page, 130 if interrupted before there was one, 2
        where the page cannot be served, with one line logged that says why.
    """
    for name in ("httpx", "fontTools"):  # every request, every glyph of a figure
        logging.getLogger(name).setLevel(logging.WARNING)
    keep_to_this_machine()
    if problem := missing(options):
        logger.error(problem)
        return 2
    try:
        with terminated(), giving_back(), Scratch.opened(options.max_disk * 10**6) as scratch:
            return _serve(options, scratch)
    except PruneVizError as error:
        logger.error("%s", error)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def terminated() -> Iterator[None]:
    """Let a request to end the process do what Ctrl+C does: end it in order."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever started it sees to that
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def missing(options: argparse.Namespace) -> str | None:
    """What has to be installed first, as a line for the user."""
    if importlib.util.find_spec("gradio") is None:
        return NO_GRADIO
    if options.mcp and importlib.util.find_spec("mcp") is None:
        return NO_MCP
    return None


def keep_to_this_machine() -> None:
    """Turn off what Gradio and the hub client report of their use, unless the user asks for it."""
    # Gradio reads its variable when it is imported, which only the page does.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    # It tables the last so many events anew after each of them.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
    # The hub client has read its own already: transformers imports it.
    if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True


def _serve(options: argparse.Namespace, scratch: Scratch) -> int:
    from pruneviz.ui import build, launch_settings  # Gradio takes seconds: --help need not wait

    for file in options.method or []:
        for method in load_methods(file):
            logger.info("%s is offered as %s.", file, method.card.title)
    page = build(make_shelf(options))
    settings = launch_settings(options.host, options.port, options.mcp, options.allow_host, scratch)
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
    scratch.keep()
    logger.info("PruneViz is at %s (Ctrl+C ends it).", page.local_url)
    page.block_thread()
    return 0
