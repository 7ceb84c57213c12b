"""Load the small pictures of objects that scenes are composed from.

One sheet a drawing style lies in ``assets/scenes``: square cells, eight in a row, in the
order of :data:`pruneviz.scenes.vocabulary.CLASSES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image

from pruneviz.scenes.vocabulary import CLASSES, STYLES, TRAINING_STYLES
from pruneviz.shipped import assets_dir

COLUMNS = 8
_ADDED: dict[str, tuple[Image.Image, ...]] = {}


def add_sheet(style: str, cells: Sequence[Image.Image]) -> None:
    """Let scenes of this process show drawings that are not the project's own.

    Parameters
    ----------
    style : str
        Name of their style.
    cells : sequence of PIL.Image.Image
        Square RGBA pictures in class order.

    Raises
    ------
    ValueError
        If the project has a style of that name, or a class has no picture.
    """
    if style in (*STYLES, *TRAINING_STYLES):
        raise ValueError(f"{style!r} is a style of the project's own")
    if len(cells) != len(CLASSES):
        raise ValueError(f"{len(cells)} pictures for {len(CLASSES)} classes")
    _ADDED[style] = tuple(cells)
    load_sheet.cache_clear()
    sprite.cache_clear()


@lru_cache(maxsize=len(STYLES + TRAINING_STYLES))
def load_sheet(style: str) -> tuple[Image.Image, ...]:
    """Return one RGBA picture for every class.

    Parameters
    ----------
    style : str
        One of :data:`pruneviz.scenes.vocabulary.STYLES` or ``TRAINING_STYLES``, or from
        :func:`add_sheet`.

    Returns
    -------
    tuple of PIL.Image.Image
        Square RGBA pictures in class order. They are shared: copy before drawing on one.

    Raises
    ------
    ValueError
        On an unknown style, or one of ``TRAINING_STYLES`` outside a checkout.
    """
    if style in _ADDED:
        return _ADDED[style]
    if style not in (*STYLES, *TRAINING_STYLES):
        known = ", ".join((*STYLES, *TRAINING_STYLES))
        raise ValueError(f"unknown style {style!r}; known: {known}")
    folder = assets_dir() / "scenes"
    if style in TRAINING_STYLES:
        folder = folder / "training"
        if not folder.is_dir():
            raise ValueError(f"style {style!r} is for training, which needs the project's checkout")
    with Image.open(folder / f"{style}.webp") as sheet:
        rgba = sheet.convert("RGBA")
    side = rgba.width // COLUMNS
    cells = []
    for index in range(len(CLASSES)):
        row, column = divmod(index, COLUMNS)
        corner = (column * side, row * side)
        cells.append(rgba.crop((*corner, corner[0] + side, corner[1] + side)))
    return tuple(cells)


@lru_cache(maxsize=1)
def training_drawings() -> dict[str, tuple[str, ...]]:
    """Return which training-only styles have a drawing of each class, by class name."""
    found: dict[str, tuple[str, ...]] = {}
    sheets = {style: load_sheet(style) for style in TRAINING_STYLES}
    for index, entry in enumerate(CLASSES):
        found[entry.name] = tuple(
            style for style, cells in sheets.items() if cells[index].getchannel("A").getbbox()
        )
    return found


@lru_cache(maxsize=4096)
def sprite(index: int, style: str, side: int, mirrored: bool) -> Image.Image:
    """Return one object's picture at the wanted size.

    Parameters
    ----------
    index : int
        Position in :data:`pruneviz.scenes.vocabulary.CLASSES`.
    style : str
        Drawing style.
    side : int
        Width and height in pixels.
    mirrored : bool
        Whether left and right are swapped.

    Returns
    -------
    PIL.Image.Image
        RGBA, ``side`` by ``side``. It is shared: copy before drawing on it.
    """
    picture = load_sheet(style)[index].resize((side, side), Image.Resampling.BICUBIC)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture
