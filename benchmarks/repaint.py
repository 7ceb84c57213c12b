"""How fast the Compare tab's masks follow the budget slider, in a real browser.

``python -m benchmarks.repaint`` opens the page on a model of 24 x 24 patches with random weights,
compares four methods and moves the slider by keyboard. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

# Before Gradio and the hub client are imported: they read these once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from pruneviz import load_model
from pruneviz.engine import Session
from pruneviz.shipped import assets_dir
from pruneviz.ui import build, launch_settings

logger = logging.getLogger("benchmarks.repaint")
SIDE, PATCH = 336, 14
METHODS = ("TransPrune", "ResPrune", "FoPru", "FastV")
PATIENCE = 600_000
"""Milliseconds that anything may take: a guard against a hang."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"]

# From the key press that moved the slider (the event's own time stamp) to the canvases being
# drawn, and to the end of the frame that shows them.
WATCH = """() => {
  const root = document.querySelector(".pv-side-by-side");
  window.repaints = [];
  let pressed = null;
  addEventListener("input", (event) => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (pressed === null) return; // the slider's change event draws the same once more
    const begin = pressed, drawn = performance.now() - begin;
    const canvas = Number(root.dataset.milliseconds), channel = new MessageChannel();
    pressed = null;
    channel.port1.onmessage = () => {
      window.repaints.push([drawn, performance.now() - begin, canvas]);
    };
    requestAnimationFrame(() => channel.port2.postMessage(0));
  }).observe(root, { attributeFilter: ["data-painted"] });
}"""


def write_model(folder: Path) -> None:
    """Write the embedded model's shape with 24 x 24 patches and random weights."""
    embedded = assets_dir() / "embedded"
    config = transformers.AutoConfig.from_pretrained(embedded)
    config.vision_config.image_size = SIDE
    config.image_seq_length = (SIDE // PATCH) ** 2
    processor = transformers.AutoProcessor.from_pretrained(embedded)
    processor.image_processor.size = {"height": SIDE, "width": SIDE}
    transformers.set_seed(0)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of the real page on that model, while the block runs."""
    page = build(Session(load_model(str(folder), device="cpu")), [])
    _, address, _ = page.launch(**launch_settings(), prevent_thread_lock=True, quiet=True)
    try:
        yield address
    finally:
        page.close()


def compare(page: Page, picture: Path) -> None:
    """Fill the page in and run the four methods."""
    page.set_input_files("#pv-image input[type=file]", str(picture))
    expect(page.locator("#pv-image img")).to_be_visible(timeout=PATIENCE)
    page.fill("#pv-question textarea", "What is this?")
    page.click("button[role=tab]:has-text('Compare')")
    for label in page.locator("#pv-compare-methods label").all():
        if label.locator("input").is_checked() != (label.inner_text().strip() in METHODS):
            label.click()
    page.click("#pv-compare")
    done = page.locator("#pv-compare-status [data-kind=done]")
    expect(done).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".pv-mask")).to_have_count(len(METHODS), timeout=PATIENCE)


def measure(page: Page, steps: int) -> list[tuple[float, float, float]]:
    """Move the slider step by step; milliseconds to drawn and to shown, and of drawing alone."""
    page.evaluate(WATCH)
    slider = page.locator("#pv-budget input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("window.repaints.length > 0")
    page.evaluate("window.repaints.length = 0")
    for step in range(1, steps + 1):
        page.keyboard.press("ArrowRight")
        page.wait_for_function("(n) => window.repaints.length >= n", arg=step)
    return [tuple(row) for row in page.evaluate("window.repaints")]


def run(steps: int, width: int) -> list[tuple[float, float, float]]:
    """Serve the page, open it `width` pixels wide and measure."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as folder:
        write_model(Path(folder))
        picture = Path(folder) / "picture.png"
        Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(picture)
        with served(Path(folder)) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.set_default_timeout(PATIENCE)
            page.goto(url)
            compare(page, picture)
            rows = measure(page, steps)
            browser.close()
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repaint", description=__doc__)
    parser.add_argument("--steps", type=int, default=60, help="moves of the slider, at most 99")
    parser.add_argument("--width", type=int, default=1440, help="of the window, in CSS pixels")
    options = parser.parse_args(arguments)
    if not 1 <= options.steps <= 99:
        parser.error("--steps must be a number from 1 to 99, one for each percent.")
    transformers.utils.logging.disable_progress_bar()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    rows = run(options.steps, options.width)
    side = SIDE // PATCH
    logger.info("%d panels of %d x %d patches, %d moves:", len(METHODS), side, side, len(rows))
    names = ("input event to drawn canvases", "input event to shown frame", "drawing alone")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        logger.info("%-30s median %6.1f ms, longest %6.1f ms", name, median(values), max(values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
