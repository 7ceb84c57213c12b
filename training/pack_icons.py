r"""Pack the drawings that only training looks at, one sheet a style.

Run it only to change the set of classes. Unpack the npm packages ``@iconify-json/emojione``,
``@iconify-json/fxemoji``, ``@iconify-json/streamline-emojis``,
``@iconify-json/fluent-emoji-high-contrast`` (shapes) and ``@iconify-json/noto-v1`` (noto1), then::

    pip install resvg-py
    python -m training.pack_icons --emojione FOLDER --fxemoji FOLDER \
        --streamline FOLDER --shapes FOLDER --noto1 FOLDER --out assets/scenes/training
"""

from __future__ import annotations

import json
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pruneviz.scenes.vocabulary import CLASSES, ICON_STYLES
from training.pack_art import fill_cell, run, write_sheet

logger = logging.getLogger(__name__)
CELL = {"noto1": 72}
USUAL_CELL = 64
# What classes are called in the packages, where not by their own name. A class that no name of
# a package fits has no drawing in that style.
_NAMES = {
    "cat": "cat-face cat",
    "dog": "dog-face dog",
    "pig": "pig-face pig",
    "frog": "frog-face frog",
    "panda": "panda-face pandaface panda",
    "lion": "lion-face lion",
    "penguin": "penguin-1 penguin",
    "fish": "tropical-fish tropicalfish",
    "horse": "horse-face horseface",
    "chick": "front-facing-baby-chick frontfacingchick baby-chick",
    "apple": "red-apple redapple",
    "cherry": "cherries",
    "watermelon": "watermelon-1 watermelon",
    "strawberry": "strawberry-1 strawberry",
    "pizza": "pizza-1 sliceofpizza pizza",
    "hamburger": "hamburger-1 hamburger",
    "doughnut": "doughnut-1 doughnut",
    "cake": "birthday-cake birthday-cake-1 birthdaycake",
    "cheese": "cheese-wedge",
    "egg": "cooking",
    "car": "automobile",
    "train": "locomotive steamlocomotive",
    "boat": "sailboat",
    "piano": "musical-keyboard musicalkeyboard",
    "cactus": "cactus-1 cactus",
    "tree": "deciduous-tree deciduoustree",
    "sunflower": "sunflower-1 sunflower",
    "hat": "top-hat tophat",
    "shirt": "t-shirt",
    "shoe": "running-shoe",
    "sock": "socks",
    "ball": "soccer-ball soccerball",
    "teddy": "teddy-bear",
    "umbrella": "umbrella-with-rain-drops umbrellawithraindrops umbrella",
    "clock": "alarm-clock alarmclock",
    "book": "closed-book closedbook",
}


def draw_icon(icons: dict[str, Any], name: str, side: int) -> Image.Image | None:
    """Draw one icon of a package.

    Parameters
    ----------
    icons : dict
        The package's ``icons.json``.
    name : str
        Name of a class.
    side : int
        Width and height in pixels.

    Returns
    -------
    PIL.Image.Image or None
        RGBA, or None where the package has no such icon.
    """
    # Needed to pack only, so it is no requirement of the project.
    import resvg_py

    known = icons["icons"]
    found = next((n for n in _NAMES.get(name, name).split() if n in known), None)
    if found is None:
        return None
    icon = known[found]
    width, height = (icon.get(k, icons.get(k, 16)) for k in ("width", "height"))
    left, top = icon.get("left", 0), icon.get("top", 0)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )
    drawn = resvg_py.svg_to_bytes(svg_string=svg, width=4 * side)
    with Image.open(BytesIO(bytes(drawn))) as picture:
        # Packages leave different margins; a drawing fills its cell.
        return fill_cell(picture.convert("RGBA"), side)


def pack(style: str, package: Path, out: Path) -> Path:
    """Write one style's sheet; classes without a drawing leave their cell clear.

    Parameters
    ----------
    style : str
        One of :data:`pruneviz.scenes.vocabulary.ICON_STYLES`.
    package : Path
        The unpacked npm package.
    out : Path
        Folder to write to.

    Returns
    -------
    Path
        The WebP file written.
    """
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    side = CELL.get(style, USUAL_CELL)
    drawn = [draw_icon(icons, entry.name, side) for entry in CLASSES]
    target = write_sheet(drawn, side, out / f"{style}.webp")
    missing = [e.name for e, picture in zip(CLASSES, drawn, strict=True) if picture is None]
    logger.info("%s: without %s", target, ", ".join(missing) or "none")
    return target


if __name__ == "__main__":
    run(ICON_STYLES, pack, Path("assets/scenes/training"), __doc__)
