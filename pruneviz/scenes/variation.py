"""Vary drawings: colours a little as a rule; in training colours, shapes and looks a lot."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

# How far drawings stray from their own colours. At WILD, shapes and looks stray too, so that
# the model neither leans on exact shades nor on one way of drawing.
GENTLE, WILD = 0.3, 1.0
# How often training draws a picture as if it had been squashed to the square; how wide or tall
# (as 1 to so much) such a picture was, and how often and how much more it was at times.
SQUASHED, WIDE, VERY_WIDE, SELDOM = 0.4, 2.0, 3.0, 0.12


def squash_of(seed: int) -> float:
    """Return width over height of the upload that a training picture stands for.

    Parameters
    ----------
    seed : int
        The scene's; the same seed gives the same shape.

    Returns
    -------
    float
        1 for a square picture, which most are, else 1/3 to 3.
    """
    rng = np.random.default_rng([seed, 3])
    if rng.random() >= SQUASHED:
        return 1.0
    low, high = (WIDE, VERY_WIDE) if rng.random() < SELDOM else (1.0, WIDE)
    longer = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return longer if rng.random() < 0.5 else 1 / longer


def recolour(picture: Image.Image, rng: np.random.Generator, vary: float) -> Image.Image:
    """Change brightness, contrast and colour a little, and now and then the hue."""
    alpha = picture.getchannel("A")
    changes = (
        (ImageEnhance.Brightness, 0.75, 1.2),
        (ImageEnhance.Contrast, 0.75, 1.25),
        (ImageEnhance.Color, 0.35, 1.3),
    )
    for enhance, low, high in changes:
        factor = 1 + vary * (float(rng.uniform(low, high)) - 1)
        picture = enhance(picture).enhance(factor)
    turn = int(vary * rng.integers(-14, 15))
    if turn and rng.random() < 0.5:
        hue, saturation, value = picture.convert("RGB").convert("HSV").split()
        hue = hue.point(lambda h: (h + turn) % 256)
        picture = Image.merge("HSV", (hue, saturation, value)).convert("RGB").convert("RGBA")
    picture.putalpha(alpha)
    return picture


def tint(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Fill a plain shape with a colour of its own, dark or bright."""
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    filled = Image.new("RGBA", picture.size, (*colour, 255))
    filled.putalpha(picture.getchannel("A"))
    return filled


def bend(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Squeeze and skew it: every corner moves, mostly inwards so that little is cut off."""
    outwards = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    # What is asked for is where the new corners lie in the old picture.
    corners = (1 + outwards) / 2 + outwards * rng.uniform(-0.04, 0.17, outwards.shape)
    quad = tuple((corners * picture.width).ravel())
    return picture.transform(
        picture.size, Image.Transform.QUAD, quad, resample=Image.Resampling.BILINEAR
    )


def restyle(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Draw it otherwise now and then: other hues, grey, few shades, blurred or outlined."""
    alpha = picture.getchannel("A")
    plain = picture.convert("RGB")
    hues, grey, shades, soft, lines = rng.random(5) < (0.2, 0.08, 0.12, 0.12, 0.12)
    if hues:
        turn = int(rng.integers(256))
        hue, saturation, value = plain.convert("HSV").split()
        hue = hue.point(lambda h: (h + turn) % 256)
        plain = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    if grey:
        plain = ImageOps.grayscale(plain).convert("RGB")
    if shades:
        plain = ImageOps.posterize(plain, 2)
    if soft:
        plain = plain.filter(ImageFilter.GaussianBlur(picture.width / 40))
    if lines:
        plain = plain.filter(ImageFilter.EDGE_ENHANCE_MORE)
    plain.putalpha(alpha)
    return plain
