"""Any picture a person may hand in, as an upright RGB image."""

from __future__ import annotations

import hashlib
import io
import math
import threading
import warnings
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pruneviz.errors import InputError

MAX_PIXELS = 60_000_000
SEEN_PIXELS = 16_000_000
"""What is larger is reduced while it is read: no supported model looks at more than 13 million."""
MAX_ASPECT = 1_000
BACKGROUND = (255, 255, 255)
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF")
"""What people upload. Pillow reads three dozen more, some by other programs (EPS runs Ghostscript)
and most by code that hardly anybody looks at. MPO is what telephones call some JPEG files."""
READABLE = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"

AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK")
_turn = threading.Lock()
"""One large picture is decoded at a time: a burst of them takes the memory of one."""

ImageSource = str | Path | bytes | np.ndarray | Image.Image


def read_image(source: ImageSource) -> Image.Image:
    """Read an image and make it upright RGB.

    Parameters
    ----------
    source : path, bytes, np.ndarray or PIL.Image.Image
        A file of one of :data:`FORMATS`, its bytes, an array ``[height, width]`` or
        ``[height, width, 3 or 4]`` of uint8, or a Pillow image.

    Returns
    -------
    PIL.Image.Image
        Mode RGB. EXIF orientation applied, transparency laid on white, 16-bit scaled to 8,
        the first frame of an animation; above `SEEN_PIXELS` reduced by a whole factor.

    Raises
    ------
    InputError
        If it is no image, damaged, or too large.
    """
    image = _open(source)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"The image has {width} x {height} pixels; the limit is {MAX_PIXELS // 10**6} million. "
            "Make it smaller."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(f"The image is {width} x {height}: too narrow to show anything. Crop it.")
    factor = math.ceil(math.sqrt(width * height / SEEN_PIXELS))
    try:
        with _turn if factor > 1 else nullcontext():
            return _decoded(image, max(1, factor))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(
            f"The image is damaged or incomplete ({error}). Try saving it again as PNG or JPEG."
        ) from error


def picture_key(image: Image.Image) -> str:
    """What tells an image's pixels from any others, in 64 hexadecimal digits.

    Takes a while on a large image: ask once and hand it on, as
    :class:`~pruneviz.engine.prepared.Prepared` does.
    """
    digest = hashlib.sha256(f"{image.size}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _open(source: ImageSource) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if not isinstance(source, str | Path | bytes):
        raise InputError("No image was given. Upload one, paste one or pick an example.")
    return open_picture(io.BytesIO(source) if isinstance(source, bytes) else source)


def open_picture(source: str | Path | io.BytesIO) -> Image.Image:
    """Open a picture of one of :data:`FORMATS`; its pixels are not read yet.

    Raises
    ------
    InputError
        If there is none, or it is of another format, or far too large.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns far below the size at which the limit above refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(source, formats=[name for name in FORMATS if _known(name)])
    except FileNotFoundError as error:
        raise InputError(f"There is no file {str(source)!r}.") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"The image has more than {MAX_PIXELS // 10**6} million pixels. Make it smaller."
        ) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"The file is not an image that can be read. Use {READABLE}.") from error


def extensions() -> frozenset[str]:
    """Ends of the names that pictures of :data:`FORMATS` have, in lower case."""
    known = Image.registered_extensions().items()
    return frozenset(extension for extension, name in known if name in FORMATS)


@cache
def _known(name: str) -> bool:
    """Whether this Pillow reads a format: what it was built without it takes for an error."""
    Image.init()
    return name in Image.OPEN


def _decoded(image: Image.Image, factor: int) -> Image.Image:
    image.seek(0)
    if factor > 1:
        # JPEG alone can leave out what is not wanted; the mode stays as it is.
        image.draft(None, (image.width // factor, image.height // factor))
        factor = math.ceil(math.sqrt(image.width * image.height / SEEN_PIXELS))
    image.load()
    if factor > 1:
        image = _reduced(image, factor)
    ImageOps.exif_transpose(image, in_place=True)
    return _rgb(image)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Means of squares of pixels; what cannot be averaged is made so first."""
    if image.mode.startswith(("I", "F")):
        image = _deep(image)
    elif image.mode not in AVERAGED:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)


def _from_array(array: np.ndarray) -> Image.Image:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or not array.size:
        raise InputError(
            "An image array must be uint8 [height, width] or [height, width, 3 or 4], "
            f"not {array.dtype} {list(array.shape)}."
        )
    return Image.fromarray(array)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _deep(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        base = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(base, layer).convert("RGB")
    return image.convert("RGB")


def _deep(image: Image.Image) -> Image.Image:
    """Integer and float greyscale to 8 bits: Pillow's own conversion would only clip."""
    values = np.asarray(image)
    most = float(np.max(values, initial=0, where=np.isfinite(values)))
    top = max(most, 1.0 if image.mode == "F" and most <= 1.0 else 65535.0)
    grey = np.empty(values.shape, np.uint8)
    # Row by row: as floats the whole would take eight times the memory.
    for row, given in zip(grey, values, strict=True):
        line = np.nan_to_num(given.astype(np.float64), posinf=0.0, neginf=0.0)
        row[:] = (line.clip(0, top) / top * 255.0).round()
    return Image.fromarray(grey).convert("RGB")
