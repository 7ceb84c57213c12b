"""Any picture a person may hand in: read right, or refused with a reason."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

import pruneviz
from pruneviz.engine import images, read_image
from pruneviz.errors import InputError


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(width=40, height=30):
    values = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(kind):
    image = gradient()
    assert read_image(encoded(image, kind)).tobytes() == image.tobytes()


def test_path_bytes_array_and_image_agree(tmp_path):
    image = gradient()
    path = tmp_path / "a.png"
    image.save(path)
    results = [read_image(s) for s in (path, str(path), path.read_bytes(), np.array(image), image)]
    assert all(result.tobytes() == image.tobytes() for result in results)


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    read = read_image(encoded(image, "PNG"))
    assert [read.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (255, 255, 255)]


def test_palette_with_transparency():
    image = gradient().quantize(8)
    image.info["transparency"] = 0
    read = read_image(encoded(image, "PNG", transparency=0))
    assert (255, 255, 255) in {color for _, color in read.getcolors()}


def test_cmyk():
    read = read_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = read.getpixel((4, 4))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_sixteen_bit_is_scaled_not_clipped():
    values = np.array([[0, 16384, 32768, 65535]], dtype=np.uint16)
    read = read_image(encoded(Image.fromarray(values), "PNG"))
    assert [read.getpixel((x, 0))[0] for x in range(4)] == [0, 64, 128, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "F", "I"])
def test_other_modes_become_rgb(mode):
    source = (
        gradient().convert("L").convert(mode) if mode in ("F", "I") else gradient().convert(mode)
    )
    assert read_image(source).mode == "RGB"


def test_exif_rotation_is_applied():
    image = gradient(40, 30)
    exif = image.getexif()
    exif[0x0112] = 6
    assert read_image(encoded(image, "JPEG", exif=exif)).size == (30, 40)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_image(data).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (20000, 30), (30, 20000)])
def test_extreme_sizes_are_read(size):
    assert read_image(encoded(Image.new("RGB", size), "PNG")).size == size


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "not an image"),
        (b"hello, this is text", "not an image"),
        (b"\x89PNG\r\n\x1a\n broken", "not an image"),
        ("no/such/file.png", "no file"),
        (None, "No image was given"),
        (3, "No image was given"),
        (np.zeros((4, 4)), "uint8"),
        (np.zeros((4, 4, 7), np.uint8), "uint8"),
        (np.zeros((0, 4), np.uint8), "uint8"),
        (Image.new("L", (9000, 9000)), "million"),
        (Image.new("L", (9001, 2)), "too narrow"),
    ],
)
def test_refused_with_a_reason(source, message):
    with pytest.raises(InputError, match=message):
        read_image(source)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_truncated_file(kind):
    data = encoded(gradient(200, 200), kind)
    with pytest.raises(InputError):
        read_image(data[: len(data) // 2])


def test_the_callers_image_is_left_alone():
    image = gradient().convert("P")
    read_image(image)
    assert image.mode == "P"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("L", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
    ],
)
def test_a_large_picture_is_reduced_while_it_is_read(mode, kind):
    small = gradient(500, 330).convert(mode)
    large = small.resize((5000, 3300), Image.Resampling.NEAREST)
    read = read_image(encoded(large, kind, **({"quality": 95} if kind == "JPEG" else {})))
    assert read.size == (2500, 1650)
    assert read.mode == "RGB"
    wanted = read_image(encoded(small, kind, **({"quality": 95} if kind == "JPEG" else {})))
    difference = np.asarray(read.reduce(5), int) - np.asarray(wanted, int)
    assert np.abs(difference).mean() < 2


def test_a_large_deep_picture_is_reduced_and_scaled():
    values = np.repeat(np.arange(4, dtype=np.uint16) * 20_000, 1250)[None].repeat(3300, axis=0)
    read = read_image(encoded(Image.fromarray(values), "PNG"))
    assert read.size == (2500, 1650)
    assert [read.getpixel((300 + 625 * at, 800))[0] for at in range(4)] == [0, 78, 156, 233]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])  # TIFF keeps the turn elsewhere
def test_a_large_picture_is_turned_upright_and_its_transparency_laid_on_white(kind):
    image = Image.new("RGBA", (4200, 4000), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (0, 0, 4200, 2000))
    exif = image.getexif()
    exif[0x0112] = 6
    read = read_image(encoded(image, kind, exif=exif))
    assert read.size == (2000, 2100)
    assert [read.getpixel((x, 1000)) for x in (100, 1900)] == [(255, 0, 0), (255, 255, 255)]


def test_up_to_sixteen_million_pixels_nothing_is_changed():
    image = Image.effect_noise((4000, 4000), 50)
    assert read_image(encoded(image, "PNG")).tobytes() == image.convert("RGB").tobytes()


def test_a_strip_of_sixty_thousand_pixels_is_refused_before_it_is_decoded(monkeypatch):
    data = encoded(Image.new("RGB", (60_000, 30)), "PNG")
    assert len(data) < 8_000
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    with pytest.raises(InputError, match="too narrow"):
        read_image(data)


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    inside, most = [], []
    real = images._decoded

    def decoded(image, factor):
        inside.append(1)
        most.append(len(inside))
        try:
            return real(image, factor)
        finally:
            inside.pop()

    monkeypatch.setattr(images, "_decoded", decoded)
    data = encoded(Image.new("RGB", (5000, 4000)), "PNG")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read_image, [data] * 4))
    assert most == [1, 1, 1, 1]


FOREIGN = [
    "EPS",
    "PPM",
    "PCX",
    "TGA",
    "SGI",
    "ICO",
    "IM",
    "SPIDER",
    "JPEG2000",
    "XBM",
    "DDS",
    "MSP",
]


@pytest.mark.parametrize("kind", FOREIGN)
def test_formats_that_nobody_uploads_are_refused(kind, tmp_path):
    """Whatever the file is called."""
    image = gradient().convert({"XBM": "1", "MSP": "1", "SPIDER": "F"}.get(kind, "RGB"))
    data = encoded(image, kind)
    with Image.open(io.BytesIO(data)) as known:
        assert known.format in (kind, "JPEG2000")
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        with pytest.raises(InputError, match=r"Use PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF\."):
            read_image(source)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_formats_that_people_upload_are_read(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("This Pillow reads no AVIF.")
    assert read_image(encoded(gradient(), kind)).size == (40, 30)


def test_one_place_opens_pictures():
    """So that none is opened with all formats that Pillow knows."""
    package = Path(pruneviz.__file__).parent
    own = {"engine/images.py", "scenes/art.py", "ui/inputs/gallery.py"}
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "Image.open(" in path.read_text(encoding="utf-8")
    }
    assert found == own, "the others open what ships with the package"
