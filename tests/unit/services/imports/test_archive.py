"""Files in a ZIP beside a table: names that programs write in their own ways, and what is never unpacked."""

from __future__ import annotations

import tracemalloc
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.domain.errors import InvalidInput, PictureRefused
from bot.services.imports import archive
from bot.services.imports.archive import PictureArchive, below

MOST = 1_000


def opened(tmp_path: Path, files: Mapping[str, bytes]) -> PictureArchive:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in files.items():
            packing.writestr(name, content)
    return PictureArchive.open(tmp_path / "p.zip", "p.zip")


def test_files_are_found_by_path_or_by_its_end(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Größe é.jpg")
    found = opened(tmp_path, {"top/a/front.jpg": b"a", "top/b/front.jpg": b"b", f"top/{decomposed}": b"c"})
    for written, content in (
        ("a/front.jpg", b"a"),
        ("B\\FRONT.jpg", b"b"),
        ("C:\\Users\\me\\Größe é.jpg", b"c"),
        ("./top/größe é.jpg", b"c"),
    ):
        assert found.read(written, MOST) == content, written
    with pytest.raises(PictureRefused, match="2 files of this name"):
        found.read("front.jpg", MOST)
    with pytest.raises(PictureRefused, match="no file of this name"):
        found.read("c/side.jpg", MOST)
    found.close()


def test_case_tells_files_apart_where_the_table_writes_it(tmp_path: Path) -> None:
    found = opened(tmp_path, {"top/a.jpg": b"a", "top/A.JPG": b"A", "b.jpg": b"b"})
    for written, content in (("top/a.jpg", b"a"), ("top\\A.JPG", b"A"), ("B.jpg", b"b")):
        assert found.read(written, MOST) == content, written
    with pytest.raises(PictureRefused, match="2 files of this name"):
        found.read("top/a.JPG", MOST)
    found.close()


def test_path_of_thousands_of_folders_takes_little_memory(tmp_path: Path) -> None:
    deep = "a/" * 10_000 + "b.jpg"
    tracemalloc.start()
    found = opened(tmp_path, {deep: b"b"})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20_000_000
    assert found.read("a/b.jpg", MOST) == found.read(deep, MOST) == b"b"
    found.close()


def test_utf_8_names_without_a_flag_are_read_as_macos_writes_them(tmp_path: Path) -> None:
    name = "Größe.jpg"
    (tmp_path / "q.zip").write_bytes(_without_utf8_flags(tmp_path, name))
    assert PictureArchive.open(tmp_path / "q.zip", "q.zip").read(name, MOST) == b"c"


def _without_utf8_flags(tmp_path: Path, name: str) -> bytes:
    """Return a ZIP with a name of the same length in bytes, replaced by UTF-8 afterwards."""
    plain = "x" * len(name.encode())
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as packing:
        packing.writestr(plain, b"c")
    return (tmp_path / "plain.zip").read_bytes().replace(plain.encode(), name.encode())


def test_what_is_too_large_damaged_or_an_archive_is_refused(tmp_path: Path) -> None:
    found = opened(tmp_path, {"bomb.jpg": bytes(1_000_000), "more.zip": b"PK", "fine.jpg": b"fine"})
    with pytest.raises(PictureRefused, match="larger than"):
        found.read("bomb.jpg", MOST)
    with pytest.raises(PictureRefused, match="archive within the archive"):
        found.read("more.zip", MOST)
    found.close()
    content = (tmp_path / "p.zip").read_bytes()
    (tmp_path / "p.zip").write_bytes(content.replace(zipfile_data(tmp_path, "bomb.jpg"), b"\xff" * 20, 1))
    with pytest.raises(PictureRefused, match="damaged there"):
        PictureArchive.open(tmp_path / "p.zip", "p.zip").read("bomb.jpg", 2_000_000)


def zipfile_data(tmp_path: Path, name: str) -> bytes:
    """Return the first 20 bytes of a file's packed data."""
    with zipfile.ZipFile(tmp_path / "p.zip") as packed:
        offset = packed.getinfo(name).header_offset + 30 + len(name)
    return (tmp_path / "p.zip").read_bytes()[offset : offset + 20]


def test_archive_beyond_a_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path, {"a.jpg": b"a", "b.jpg": b"b"}).close()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    with pytest.raises(InvalidInput, match="more than 1 files"):
        PictureArchive.open(tmp_path / "p.zip", "p.zip")
    (tmp_path / "p.zip").write_bytes(b"no ZIP")
    with pytest.raises(InvalidInput, match="readable ZIP"):
        PictureArchive.open(tmp_path / "p.zip", "p.zip")


def test_paths_of_a_table_stay_below_the_archive() -> None:
    assert below("../../etc/passwd").as_posix() == "etc/passwd"
    assert below("/etc/passwd").as_posix() == "etc/passwd"
