"""What visitors hand in: a file of questions and a ZIP with pictures, opened with suspicion."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from pruneviz.errors import InputError
from pruneviz.evaluation.lines import SUFFIXES

MAX_FILES = 4_000
"""Entries of a ZIP."""
MAX_BYTES = 256 * 2**20
"""Of all that is unpacked, whatever the ZIP says of itself."""
MAX_DEPTH = 16
"""Folders inside one another."""
CHUNK = 2**18
ENTRY = b"PK\x01\x02"
"""What an entry of a ZIP's directory begins with."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, ValueError)
FORMS = f"A file of questions ends in {', '.join(SUFFIXES)}; pictures go in a .zip."


def questions_file(uploads: Sequence[str | Path], folder: Path) -> Path:
    """Bring what was handed in together in a folder; the one file of questions in it.

    Parameters
    ----------
    uploads : sequence of path
        A file of questions, a ZIP of pictures that may hold that file, or both.
    folder : Path
        Empty; made if it is not there.

    Raises
    ------
    InputError
        If there is no file of questions or several, or a ZIP is damaged, too large, or names
        files outside of itself.
    """
    if not uploads:
        raise InputError(f"Choose your files first. {FORMS}")
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Path] = []
    for upload in map(Path, uploads):
        kind = upload.suffix.lower()
        if kind == ".zip":
            found += [path for path in unpack(upload, folder) if path.suffix.lower() in SUFFIXES]
        elif kind in SUFFIXES:
            target = folder / upload.name
            if target.exists():
                raise InputError(f"There are two files {upload.name!r}.")
            target.write_bytes(upload.read_bytes())
            found.append(target)
        else:
            raise InputError(f"{upload.name!r} cannot be used. {FORMS}")
    if not found:
        raise InputError(f"There is no file of questions. {FORMS}")
    if len(found) > 1:
        named = ", ".join(str(path.relative_to(folder)) for path in found[:5])
        raise InputError(f"There are {len(found)} files of questions ({named}). Give one of them.")
    return found[0]


def unpack(upload: Path, folder: Path) -> list[Path]:
    """Unpack the pictures and files of questions of a ZIP; whatever else is in it stays there.

    Nothing that the ZIP says of itself is believed: names must lie inside the folder, and the
    bytes are counted as they come out.

    Raises
    ------
    InputError
        If it is damaged, encrypted, too large, or holds links or names that lead outside.
    """
    try:
        # Before its directory is read into memory, which takes far more than the file's bytes.
        if upload.read_bytes().count(ENTRY) > MAX_FILES:
            raise InputError(f"{upload.name!r} holds more than {MAX_FILES:,} files.")
        with zipfile.ZipFile(upload) as archive:
            return list(_unpacked(archive, upload.name, folder))
    except DAMAGED as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{upload.name!r} is no ZIP that can be read ({error}).") from error
    except OSError as error:
        raise InputError(f"{upload.name!r} cannot be unpacked: {error.strerror}.") from error


def _unpacked(archive: zipfile.ZipFile, name: str, folder: Path) -> Iterator[Path]:
    wanted = SUFFIXES.keys() | Image.registered_extensions().keys()
    left = MAX_BYTES
    for entry in archive.infolist():
        inside = _inside(entry)
        if entry.is_dir() or inside.name in LITTER or inside.parts[0] in LITTER:
            continue
        if inside.suffix.lower() not in wanted:
            continue
        if entry.flag_bits & ENCRYPTED:
            raise InputError(f"{name!r} is encrypted. Make one without a password.")
        if entry.compress_type not in METHODS:
            raise InputError(f"{name!r} is packed in a way that is not read here; use Deflate.")
        target = folder / inside
        if target.exists():
            raise InputError(f"{name!r} holds {str(inside)!r} twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        left -= _write(archive, entry, target, left)
        yield target


def _inside(entry: zipfile.ZipInfo) -> PurePosixPath:
    """The entry's path below the folder; InputError where it leads elsewhere."""
    raw = entry.orig_filename
    path = PurePosixPath(raw)
    leads_out = path.is_absolute() or ".." in path.parts or not path.parts
    # A backslash or a colon means a folder or a drive where others unpack.
    strange = any(sign in raw for sign in ("\\", ":", "\0")) or not raw.isprintable()
    if leads_out or strange or len(path.parts) > MAX_DEPTH:
        raise InputError(f"The ZIP holds a file whose name leads elsewhere: {raw[:80]!r}.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"The ZIP holds a link: {raw[:80]!r}.")
    return path


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Write an entry of at most so many bytes; how many it had."""
    written = 0
    with archive.open(entry) as packed, target.open("xb") as file:
        while data := packed.read(CHUNK):
            written += len(data)
            if written > most:
                raise InputError(
                    f"Unpacked, the ZIP takes more than {MAX_BYTES // 2**20} MiB. Make the "
                    "pictures smaller or ask about fewer."
                )
            file.write(data)
    return written
