"""Walk a folder of pictures: what is left out is counted and named, and an unreadable part stops nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jps"),
        *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".btf", ".tf8"),
        *(".heic", ".heif", ".hif", ".heics", ".heifs", ".avif", ".avifs", ".avci", ".avcs"),
    }
)
"""Suffixes of the files that a folder import reads. The content decides whether a file is a picture."""

# Thumbnails, deleted files and notes of file servers, archives and operating systems. Hidden ones begin with a dot.
_JUNK_FOLDERS = frozenset(
    {
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "@sharebin",
        "@tmp",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "__macosx",
        "network trash folder",
        "temporary items",
        "~snapshot",
    }
)
_JUNK_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r"})
_JUNK_SUFFIXES = (".origins.json", "@synoeastream", "@synoresource")
_NAMED = 10


@dataclass(slots=True)
class LeftOut:
    """What a walk left out: files by suffix, the names of the first of them, hidden pictures, and folders."""

    files: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    hidden: list[str] = field(default_factory=list)

    def add_file(self, name: str) -> None:
        """Count a file that isn't a picture by its name."""
        self.files[os.path.splitext(name)[1].lower()] += 1  # noqa: PTH122 - a Path each is slow here
        if len(self.names) < _NAMED:
            self.names.append(name)

    def sentence(self) -> str:
        """Return what was left out, for people; empty if nothing was."""
        parts = []
        if count := self.files.total():
            more = ", …" if count > len(self.names) else ""
            what = "file that is no picture" if count == 1 else "files that are no pictures"
            parts.append(f"{count:,} {what} ({', '.join(self.names)}{more})")
        if self.hidden:
            more = ", …" if len(self.hidden) > _NAMED else ""
            what = "hidden picture" if len(self.hidden) == 1 else "hidden pictures"
            parts.append(f"{len(self.hidden):,} {what} ({', '.join(sorted(self.hidden)[:_NAMED])}{more})")
        if self.folders:
            named = ", ".join(sorted(self.folders)[:_NAMED])
            parts.append(f"folders that hold no pictures of yours ({named})")
        listed = " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
        return f"Left out {listed}." if parts else ""


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that can't be read, and why."""

    path: Path
    reason: str


def walk_pictures(root: Path, left_out: LeftOut) -> Iterator[Path | UnreadableFolder]:
    """Yield the pictures below a folder, by name within each folder, and the folders that can't be read.

    Skips hidden files, links to folders, and what file servers and operating systems keep for themselves. Raises
    OSError if the folder itself can't be read.
    """
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            files, folders = _entries(folder, left_out)
        except OSError as error:
            if folder == root:
                raise
            yield UnreadableFolder(folder, f"The folder can't be read: {error.strerror or error}.")
            continue
        yield from files
        pending.extend(reversed(folders))


def _add_hidden(entry: os.DirEntry[str], left_out: LeftOut) -> None:
    """Record a hidden folder or picture. Files that begin with “._” are what macOS notes about others."""
    if entry.is_dir(follow_symlinks=False):
        left_out.folders.add(entry.name)
    elif not entry.name.startswith("._") and entry.name.lower().endswith(tuple(PICTURE_SUFFIXES)):
        left_out.hidden.append(entry.name)


def _entries(folder: Path, left_out: LeftOut) -> tuple[list[Path], list[Path]]:
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                _add_hidden(entry, left_out)
            elif entry.is_dir(follow_symlinks=False):
                if name.casefold() in _JUNK_FOLDERS:
                    left_out.folders.add(name)
                else:
                    folders.append(entry.path)
            elif os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122 - a Path each is slow here
                files.append(entry.path)
            elif entry.is_dir():
                left_out.folders.add(f"link {name}")
            elif name.casefold() not in _JUNK_FILES and not name.lower().endswith(_JUNK_SUFFIXES):
                left_out.add_file(name)
    return [Path(name) for name in sorted(files)], [Path(name) for name in sorted(folders)]
