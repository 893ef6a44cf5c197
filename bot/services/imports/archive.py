"""A ZIP of pictures beside a table. Nothing of it is unpacked but the files that the table names."""

from __future__ import annotations

import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Self

from bot.domain.errors import InvalidInput, PictureRefused

MAX_MEMBERS = 50_000
MAX_UNPACKED = 4_000_000_000
"""Bytes of all files in a ZIP, unpacked, as its directory declares them. No file is read beyond its declared size."""

_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_UTF8_NAMES = 0x800
_ENCRYPTED = 0x1


class PictureArchive:
    """Finds files in a ZIP by the names that a table has for them."""

    def __init__(self, archive: zipfile.ZipFile, name: str, members: Mapping[str, zipfile.ZipInfo]) -> None:
        self._archive = archive
        self._name = name
        self._members = members
        # By the last one and the last two parts of their paths, without case. All ends of a path with thousands of
        # folders would take a gigabyte.
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)
        for member in members:
            for end in _ends(member.casefold()):
                self._by_end[end].append(member)

    @classmethod
    def open(cls, path: Path, name: str) -> Self:
        """Open a ZIP. Raises InvalidInput if it isn't one, or exceeds a limit."""
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise InvalidInput(f"{name} isn't a readable ZIP file.") from None
        infos = [info for info in archive.infolist() if not info.is_dir()]
        size = sum(info.file_size for info in infos)
        if len(infos) > MAX_MEMBERS or size > MAX_UNPACKED:
            archive.close()
            raise InvalidInput(
                f"{name} holds more than {MAX_MEMBERS:,} files or {MAX_UNPACKED // 1_000_000_000} GB. Divide it."
            )
        return cls(archive, name, {_path(_name_of(info)): info for info in infos})

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def read(self, written: str, max_bytes: int) -> bytes:
        """Return the file that a table names by its path or the end of its path. Raises PictureRefused."""
        found = self._find(written)
        if not found:
            raise PictureRefused(f"{self._name} has no file of this name.")
        if len(found) > 1:
            raise PictureRefused(f"{self._name} has {len(found)} files of this name. Write the path.")
        info = self._members[found[0]]
        if found[0].casefold().endswith(_ARCHIVES):
            raise PictureRefused("This is an archive within the archive. Pack its pictures themselves.")
        if info.flag_bits & _ENCRYPTED:
            raise PictureRefused("The file is encrypted. Pack it without a password.")
        if info.file_size > max_bytes:
            raise PictureRefused(f"The file is larger than {max_bytes // 1_000_000} MB.")
        try:
            with self._archive.open(info) as stream:
                return stream.read(max_bytes)
        except Exception as error:  # zipfile, zlib, bz2 and lzma raise errors of many kinds
            raise PictureRefused("The file can't be unpacked: the archive is damaged there.") from error

    def _find(self, written: str) -> Sequence[str]:
        path = _path(written)
        if path in self._members:
            return (path,)
        key = path.casefold()
        name, *with_folder = _ends(key)
        alike = self._by_end.get(with_folder[0] if with_folder else name, ())
        # Programs put the pictures into a folder that the table doesn't know, or write the folders of somebody's disk.
        return (
            [member for member in alike if member.casefold() == key]
            or [member for member in alike if member.casefold().endswith(f"/{key}")]
            or self._by_end.get(name, ())
        )


def below(written: str) -> PurePath:
    """Return a path as a table writes it, with either slash, as a relative path."""
    return PurePosixPath(*[part for part in PureWindowsPath(written).as_posix().split("/") if part not in _NOWHERE])


_NOWHERE = {"", ".", ".."}


def _path(written: str) -> str:
    return unicodedata.normalize("NFC", below(written).as_posix())


def _ends(path: str) -> Sequence[str]:
    """Return the last part of a path, and the last two if it has as many."""
    parts = path.rsplit("/", 2)
    return [parts[-1], "/".join(parts[-2:])] if len(parts) > 1 else parts


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the name of a file. macOS writes UTF-8 without saying so, which ``zipfile`` reads as code page 437."""
    if info.flag_bits & _UTF8_NAMES:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename
