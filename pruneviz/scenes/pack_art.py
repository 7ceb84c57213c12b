"""Pack the art packages' pictures into the two sheets that the project ships.

Run it only to change the set of classes; training and the app use the packed sheets.
Unpack the npm packages ``@lobehub/fluent-emoji-3d`` and ``emoji-datasource-google``, then::

    python -m pruneviz.scenes.pack_art --fluent FOLDER --noto FOLDER --out assets/scenes
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from PIL import Image

from pruneviz.scenes.art import COLUMNS
from pruneviz.scenes.vocabulary import CLASSES

logger = logging.getLogger(__name__)
# The Noto pictures of the package are 64 px; the others are kept large enough for examples.
CELL = {"fluent": 160, "noto": 64}
WHERE = {"fluent": "assets/{}.webp", "noto": "img/google/64/{}.png"}


def pack(style: str, package: Path, out: Path) -> Path:
    """Write one style's sheet.

    Parameters
    ----------
    style : str
        ``fluent`` or ``noto``.
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
    rows = -(-len(CLASSES) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * side, rows * side), (0, 0, 0, 0))
    for index, entry in enumerate(CLASSES):
        with Image.open(package / WHERE[style].format(entry.emoji)) as source:
            picture = source.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        row, column = divmod(index, COLUMNS)
        sheet.paste(picture, (column * side, row * side))
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{style}.webp"
    sheet.save(target, quality=88, method=6)
    logger.info("%s: %d pictures, %d bytes", target, len(CLASSES), target.stat().st_size)
    return target


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fluent", type=Path, required=True)
    parser.add_argument("--noto", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("assets/scenes"))
    options = parser.parse_args()
    for style in CELL:
        pack(style, getattr(options, style), options.out)


if __name__ == "__main__":
    main()
