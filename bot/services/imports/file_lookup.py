"""Find the files that a table names, whatever program wrote the names: slashes, normal forms and case differ."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath


class FileLookup:
    """Finds files below a folder, or at absolute paths. Reads each folder once.

    A name is found as written; else in another normal form; else in another case, if that fits one name alone.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[Path, tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]] = {}

    def find(self, written: str) -> tuple[Path, PurePath]:
        """Return the path of a file, and its path below the root as written. The path may not exist."""
        as_written = PurePosixPath(written)
        # A file name may have a backslash where paths have slashes, so look for the name as written first.
        if "\\" in written and not _exists(self._root / written):
            windows = PureWindowsPath(written)
            as_written = PurePosixPath(windows.as_posix())
        path = self._root / as_written
        if _exists(path):
            return path, as_written
        return self._similar(as_written) or path, as_written

    def _similar(self, written: PurePosixPath) -> Path | None:
        parts = list(written.parts)
        found = Path(parts.pop(0)) if written.is_absolute() else self._root
        for part in parts:
            if part == ".." or _exists(found / part):
                found /= part
                continue
            name = self._entry(found, part)
            if name is None:
                return None
            found /= name
        return found

    def _entry(self, folder: Path, name: str) -> str | None:
        by_form, by_case = self._entries(folder)
        alike = by_form.get(_normal(name)) or by_case.get(_normal(name).casefold()) or ()
        return alike[0] if len(alike) == 1 else None

    def _entries(self, folder: Path) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]:
        if folder not in self._folders:
            by_form: dict[str, list[str]] = {}
            by_case: dict[str, list[str]] = {}
            try:
                names = os.listdir(folder)  # noqa: PTH208 - names alone, of a folder that may have a million
            except OSError:
                names = []
            for name in sorted(names):
                by_form.setdefault(_normal(name), []).append(name)
                by_case.setdefault(_normal(name).casefold(), []).append(name)
            self._folders[folder] = by_form, by_case
        return self._folders[folder]


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # A name that is too long, say, or a folder that can't be read: reading the file says what is wrong.
        return False
