r"""Pack the art packages' pictures into the sheets that the project ships, one a style.

Run it only to change the set of classes; training and the app use the packed sheets.
Unpack the npm packages ``@lobehub/fluent-emoji-3d`` (fluent), ``emoji-datasource-google``
(noto), ``@lobehub/fluent-emoji-flat`` (flat) and ``emoji-datasource-twitter`` (twemoji), then::

    pip install resvg-py
    python -m training.pack_art --fluent FOLDER --noto FOLDER --flat FOLDER \
        --twemoji FOLDER --out assets/scenes
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from pruneviz.scenes.art import COLUMNS
from pruneviz.scenes.vocabulary import CLASSES

logger = logging.getLogger(__name__)
# Two packages hold pictures of 64 px only; those of examples are kept larger.
CELL = {"fluent": 160, "noto": 64, "flat": 96, "twemoji": 64}
WHERE = {
    "fluent": "assets/{}.webp",
    "noto": "img/google/64/{}.png",
    "flat": "assets/{}.svg",
    "twemoji": "img/twitter/64/{}.png",
}


def open_picture(path: Path, side: int) -> Image.Image:
    """Open one picture of a package, drawing it first if it is a vector one.

    Parameters
    ----------
    path : Path
        PNG, WebP or SVG.
    side : int
        Width and height wanted, in pixels.

    Returns
    -------
    PIL.Image.Image
        RGBA, ``side`` by ``side``.
    """
    if path.suffix == ".svg":
        # Needed to pack only, so it is no requirement of the project.
        import resvg_py

        drawn = resvg_py.svg_to_bytes(svg_string=path.read_text(), width=side * 2)
        source: BytesIO | Path = BytesIO(bytes(drawn))
    else:
        source = path
    with Image.open(source) as picture:
        return picture.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)


def fill_cell(picture: Image.Image, side: int) -> Image.Image:
    """Cut an RGBA picture's clear margins off and fit it into a square of `side` pixels."""
    picture = picture.crop(picture.getchannel("A").getbbox())
    whole = max(picture.size)
    square = Image.new("RGBA", (whole, whole), (0, 0, 0, 0))
    square.paste(picture, ((whole - picture.width) // 2, (whole - picture.height) // 2))
    return square.resize((side, side), Image.Resampling.LANCZOS)


def write_sheet(drawn: Sequence[Image.Image | None], side: int, target: Path) -> Path:
    """Write pictures of `side` pixels in class order; None leaves a cell clear."""
    rows = -(-len(drawn) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * side, rows * side), (0, 0, 0, 0))
    for index, picture in enumerate(drawn):
        if picture is not None:
            row, column = divmod(index, COLUMNS)
            sheet.paste(picture, (column * side, row * side))
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, quality=88, method=6)
    return target


def pack(style: str, package: Path, out: Path) -> Path:
    """Write one style's sheet.

    Parameters
    ----------
    style : str
        One of :data:`CELL`.
    package : Path
        The unpacked npm package.
    out : Path
        Folder to write to.

    Returns
    -------
    Path
        The WebP file written.
    """
    side = CELL[style]
    drawn = [open_picture(package / WHERE[style].format(e.emoji), side) for e in CLASSES]
    target = write_sheet(drawn, side, out / f"{style}.webp")
    logger.info("%s: %d pictures, %d bytes", target, len(CLASSES), target.stat().st_size)
    return target


def run(
    styles: Iterable[str],
    pack_style: Callable[[str, Path, Path], Path],
    out: Path,
    about: str | None,
) -> None:
    """Run the command line: pack each style whose package is given."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=about.splitlines()[0] if about else None)
    for style in styles:
        parser.add_argument(f"--{style}", type=Path, help="the unpacked package of this style")
    parser.add_argument("--out", type=Path, default=out)
    options = parser.parse_args()
    for style in styles:
        if package := getattr(options, style):
            pack_style(style, package, options.out)


if __name__ == "__main__":
    run(CELL, pack, Path("assets/scenes"), __doc__)
