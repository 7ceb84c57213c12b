"""Start the page: ``python app.py``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

# Before Gradio and the hub client are imported: they read these once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from pruneviz import load_model
from pruneviz.engine import Session
from pruneviz.errors import PruneVizError
from pruneviz.models.loading import DTYPES, EMBEDDED

logger = logging.getLogger("pruneviz")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="See what visual-token pruning removes, and what it costs."
    )
    parser.add_argument(
        "--model",
        default=EMBEDDED,
        help="'embedded' (ships with the project), a hub id or a local folder",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--dtype", default="auto", choices=DTYPES)
    parser.add_argument("--quantisation", choices=("4bit", "8bit"), help="needs CUDA")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; anything but 127.0.0.1 lets other machines in",
    )
    parser.add_argument("--port", type=int, default=7860)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the model and serve the page until interrupted."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from pruneviz.ui import build, launch_settings  # Gradio takes seconds: --help need not wait

    try:
        loaded = load_model(options.model, options.device, options.dtype, options.quantisation)
    except PruneVizError as error:
        logger.error("%s", error)
        return 2
    page = build(Session(loaded))
    try:
        page.launch(
            **launch_settings(options.host, options.port), quiet=True, prevent_thread_lock=True
        )
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
