"""What visitors hand in: what is wrong with it is said, and nothing gets out of its folder."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pruneviz.errors import InputError
from pruneviz.ui.howmuch import unpacking
from pruneviz.ui.howmuch.unpacking import questions_file, unpack

LINE = b'{"image": "a.png", "question": "What is this?"}\n'


def png(shade: int = 0) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(data, "PNG")
    return data.getvalue()


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], packed: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_zip_with_everything(tmp_path: Path) -> None:
    litter = (("__MACOSX/._a.png", b"x"), ("read me.txt", b"x"), ("set/.DS_Store", b"x"))
    upload = zipped(
        tmp_path / "all.ZIP", ("set/q.jsonl", LINE), ("set/a.png", png()), ("set/", b""), *litter
    )
    found = questions_file([str(upload)], tmp_path / "out")
    assert found == tmp_path / "out/set/q.jsonl"
    assert names(tmp_path / "out") == {"set/q.jsonl", "set/a.png"}
    assert found.read_bytes() == LINE
    assert (tmp_path / "out/set/a.png").read_bytes() == png()


def test_a_file_beside_a_zip(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("image,question\na.png,What?\n")
    upload = zipped(tmp_path / "pictures.zip", ("a.png", png()))
    found = questions_file([upload, tmp_path / "q.csv"], tmp_path / "out")
    assert names(found.parent) == {"q.csv", "a.png"}


@pytest.mark.parametrize(
    ("entries", "loose", "words"),
    [
        ((), (), "Choose your files first"),
        ((("a.png", png()),), (), "There is no file of questions"),
        ((("a.jsonl", LINE), ("b/c.csv", LINE)), (), "2 files of questions .a.jsonl, b/c.csv"),
        ((("a.jsonl", LINE),), ("q.jsonl",), "There are 2 files"),
        ((("q.jsonl", LINE),), ("q.jsonl",), "two files 'q.jsonl'"),
        ((), ("notes.pdf",), "'notes.pdf' cannot be used"),
    ],
)
def test_there_must_be_one_file_of_questions(tmp_path, entries, loose, words) -> None:
    uploads = [zipped(tmp_path / "all.zip", *entries)] if entries else []
    for name in loose:
        (tmp_path / name).write_bytes(LINE)
        uploads.append(tmp_path / name)
    with pytest.raises(InputError, match=words):
        questions_file(uploads, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "b/../../a.png",
        "/tmp/a.png",  # noqa: S108 - refused
        "..\\a.png",
        "C:\\a.png",
        "c:a.png",
        "a\0.png",
        "a\n.png",
        "/".join(["deep"] * 17) + "/a.png",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    entry = zipfile.ZipInfo("x")
    entry.filename = entry.orig_filename = name
    upload = zipped(tmp_path / "all.zip", ("first.png", png()), (entry, png()))
    with pytest.raises(InputError, match="leads elsewhere"):
        unpack(upload, tmp_path / "folder/out")
    assert names(tmp_path) <= {"all.zip", "folder/out/first.png"}


def test_links_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("a.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    upload = zipped(tmp_path / "all.zip", (entry, b"/etc/hostname"))
    with pytest.raises(InputError, match="holds a link"):
        unpack(upload, tmp_path / "out")
    assert not names(tmp_path / "out")


def test_names_that_come_twice_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        upload = zipped(tmp_path / "all.zip", ("a.png", png()), ("a.png", png(9)))
    with pytest.raises(InputError, match="twice"):
        unpack(upload, tmp_path / "out")
    assert (tmp_path / "out/a.png").read_bytes() == png()


def test_a_folder_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    upload = zipped(tmp_path / "all.zip", ("a.png", png()), ("a.png/b.png", png()))
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(upload, tmp_path / "out")


def test_too_many_files_are_refused_before_they_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_FILES", 3)
    many = [(f"{number}.png", png()) for number in range(4)]
    assert len(unpack(zipped(tmp_path / "few.zip", *many[:3]), tmp_path / "few")) == 3
    upload = zipped(tmp_path / "all.zip", *many)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(InputError, match="more than 3 files"):
        unpack(upload, tmp_path / "out")


def test_what_grows_too_large_is_refused_while_it_is_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 2**20)
    upload = zipped(tmp_path / "bomb.zip", ("a.png", bytes(2**19)), ("b.png", bytes(2**26)))
    assert upload.stat().st_size < 2**17
    with pytest.raises(InputError, match="takes more than 1 MiB"):
        unpack(upload, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 2**20


def test_sizes_that_a_zip_claims_are_not_believed(tmp_path, monkeypatch) -> None:
    """A bomb says that it is small; what comes out is cut off there, and never grows."""
    monkeypatch.setattr(unpacking, "MAX_BYTES", 2**20)
    upload = zipped(tmp_path / "bomb.zip", ("a.png", bytes(2**26)))
    data, claimed = upload.read_bytes(), struct.pack("<L", 2**26)
    assert claimed in data
    upload.write_bytes(data.replace(claimed, struct.pack("<L", 100)))
    with pytest.raises(InputError):
        unpack(upload, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 2**20


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def spoilt(data: bytes) -> bytes:
    """A byte of the first file's contents is another."""
    place = data.index(b"a.png") + 20
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


def locked(data: bytes) -> bytes:
    place = data.index(unpacking.ENTRY) + 8
    return data[:place] + b"\1" + data[place + 1 :]


@pytest.mark.parametrize(
    ("spoil", "packed", "words"),
    [
        (lambda data: b"no zip", 8, "is no ZIP that can be read"),
        (lambda data: b"", 8, "is no ZIP that can be read"),
        (cut, 8, "is no ZIP that can be read"),
        (spoilt, 8, "is no ZIP that can be read"),
        (locked, 8, "is encrypted"),
        (lambda data: data, zipfile.ZIP_LZMA, "use Deflate"),
        (lambda data: data, zipfile.ZIP_BZIP2, "use Deflate"),
    ],
)
def test_damaged_and_odd_ones_are_said(
    tmp_path: Path, spoil: Callable[[bytes], bytes], packed: int, words: str
) -> None:
    upload = zipped(tmp_path / "all.zip", ("a.png", png()), packed=packed)
    upload.write_bytes(spoil(upload.read_bytes()))
    with pytest.raises(InputError, match=words):
        unpack(upload, tmp_path / "out")
