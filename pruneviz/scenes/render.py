"""Turn a scene into a picture."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from pruneviz.scenes.art import sprite
from pruneviz.scenes.backgrounds import background
from pruneviz.scenes.scene import Item, Scene
from pruneviz.scenes.variation import GENTLE, WILD, bend, recolour, restyle, tint
from pruneviz.scenes.vocabulary import CARD, CLASS_INDEX, COLOURS, SHAPES

# Pillow's own face, then those that come with matplotlib.
_FACES = ("", "", "DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif", "DejaVuSansMono-Bold")


@lru_cache(maxsize=2048)
def _font(face: str, size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    if not face:
        return ImageFont.load_default(size)
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", f"{face}.ttf"), size)


def _card(item: Item, side: int, rng: np.random.Generator, vary: float) -> Image.Image:
    """Draw a coloured card with its text, on a transparent square."""
    face = _FACES[rng.integers(len(_FACES))] if vary else ""
    card = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    colour = np.clip(np.array(COLOURS[item.colour]) + rng.integers(-12, 13, 3), 0, 255)
    # Short words need a wide card; digits sit on a nearly square one.
    margin = side * (0.04 if len(item.text) == 1 else 0.17)
    shape = (2, margin, side - 3, side - 1 - margin)
    ink = (20, 20, 24) if colour.mean() > 115 else (250, 250, 250)
    outline = tuple(int(v) for v in ink)
    draw.rounded_rectangle(
        shape, radius=side * 0.1, fill=tuple(int(v) for v in colour), outline=outline, width=2
    )
    points = int(side * 0.78) if len(item.text) == 1 else int(side * 1.5 / len(item.text))
    size = min(points, int(side * 0.5)) if len(item.text) > 1 else points
    font = _font(face, size)
    room = shape[2] - shape[0] - 6
    if (width := font.getlength(item.text)) > room:
        font = _font(face, int(size * room / width))
    draw.text((side / 2, side / 2), item.text, fill=ink, font=font, anchor="mm")
    return card


def draw_item(item: Item, side: int, rng: np.random.Generator, vary: float = GENTLE) -> Image.Image:
    """Draw one thing.

    Parameters
    ----------
    item : Item
        What to draw.
    side : int
        Side of its box in pixels.
    rng : numpy.random.Generator
        For changes of colour, and from :data:`~pruneviz.scenes.variation.WILD` on of shape and
        look, and for a card's typeface.
    vary : float
        How large these changes are, from 0 (none, and one typeface) to 1.

    Returns
    -------
    PIL.Image.Image
        RGBA, ``side`` by ``side``.
    """
    if item.name == CARD:
        picture = _card(item, side, rng, vary)
    else:
        picture = sprite(CLASS_INDEX[item.name], item.style, side, item.mirrored)
        if item.style == SHAPES:
            picture = tint(picture, rng)
        if vary:
            picture = recolour(picture, rng, vary)
        if vary >= WILD:
            picture = restyle(bend(picture, rng), rng)
    return picture.rotate(item.tilt, Image.Resampling.BILINEAR) if item.tilt else picture


def _extent(item: Item, squash: float) -> tuple[float, float]:
    """Width and height of a thing's box in a squashed picture, in fractions of the side.

    The area stays where it can: nothing leaves the picture, and the longer side grows to a quarter
    of it only, so that neighbours are not covered.
    """
    if item.name == CARD:
        # Beyond that nobody reads what is written on it.
        squash = min(max(squash, 0.5), 2.0)
    across, down = item.size / squash**0.5, item.size * squash**0.5
    middle = item.x if across > down else item.y
    most = min(max(item.size, 0.25), 2 * middle, 2 - 2 * middle)
    share = min(1.0, most / max(across, down))
    return across * share, down * share


def compose(
    scene: Scene, width: int, height: int, vary: float = GENTLE, squash: float = 1.0
) -> tuple[Image.Image, np.ndarray]:
    """Compose a picture of any shape; the scene fills its centre square.

    Parameters
    ----------
    scene : Scene
        What to draw, from back to front.
    width, height : int
        Size in pixels.
    vary : float
        See :func:`draw_item`.
    squash : float
        Draws the things as they look once a picture so many times as wide as high has been
        squashed to this one's shape.

    Returns
    -------
    picture : PIL.Image.Image
        RGB.
    owner : ndarray of uint8, shape (height, width)
        Which thing a pixel shows: 0 for the background, ``i + 1`` for ``scene.items[i]``.
    """
    rng = np.random.default_rng([scene.seed, 2])
    side = min(width, height)
    shift = ((width - side) / 2, (height - side) / 2)
    pattern = background(scene.seed, max(width, height))[:height, :width]
    canvas = Image.fromarray(np.ascontiguousarray(pattern))
    owner = Image.new("L", (width, height), 0)
    for index, item in enumerate(scene.items):
        pixels = max(8, round(item.size * side))
        picture = draw_item(item, pixels, rng, vary)
        if squash != 1:
            extent = [max(4, round(v * side)) for v in _extent(item, squash)]
            picture = picture.resize(extent, Image.Resampling.BICUBIC)
        x, y = shift[0] + item.x * side, shift[1] + item.y * side
        corner = (round(x - picture.width / 2), round(y - picture.height / 2))
        canvas.paste(picture, corner, picture)
        solid = picture.getchannel("A").point(lambda a: 255 if a > 127 else 0)
        box = (*corner, corner[0] + picture.width, corner[1] + picture.height)
        owner.paste(index + 1, box, solid)
    return canvas, np.asarray(owner)


def render(
    scene: Scene, side: int = 224, vary: float = GENTLE, squash: float = 1.0
) -> tuple[Image.Image, np.ndarray]:
    """Compose a square picture; see :func:`compose`."""
    return compose(scene, side, side, vary, squash)
