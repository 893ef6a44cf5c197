"""Ids made from file names. Nobody chose them, so two files get one id only if somebody gave them the same name."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import MAX_ENTITY, NOT_PRINTABLE, EntityId, entity_key
from bot.services.images.generic_names import is_generic, is_view
from bot.services.imports.folder_walk import PICTURE_SUFFIXES

OWN_ID = 10
"""Characters of a file's digest that tell apart files with a generic name."""

_MAX_OWN_ID = 32
_NAMELESS = "image"
_LOST_SHOWN = 8

# Of files that are shared as pictures. What follows the last dot of ``12.345-B`` is part of the name.
_OTHER_FORMATS = (
    "jp2 j2k jxl svg ico psd ai eps pdf dng raw cr2 cr3 nef arw orf rw2 mp4 mov webm mkv avi doc docx ppt pptx xls "
    "xlsx zip tmp crdownload"
)
_SUFFIXES = PICTURE_SUFFIXES | {f".{name}" for name in _OTHER_FORMATS.split()}
_BREAK = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
# The replacement character stands for bytes that weren't UTF-8.
_NOT_PRINTABLE = re.compile(f"{NOT_PRINTABLE.pattern}|\ufffd")


def name_without_suffix(name: str) -> str:
    """Return a file's name without the suffix of its format: ``12.345-B`` has none."""
    stem, dot, suffix = name.rpartition(".")
    if f"{dot}{suffix.lower()}" not in _SUFFIXES:
        stem = name
    return stem if stem.strip(" .") else ""


def name_at(address: str) -> str:
    """Return the name of the file at a web address; empty if its path ends with none."""
    return unquote(urlsplit(address).path.rpartition("/")[2])


def entity_of_file(name: str, own_id: str, folder: str = "") -> EntityId:
    """Return an id for a file, which is its name as written.

    Args:
        name: The file's name.
        own_id: What tells the file apart from all others: Slack's id of it, or the beginning of its digest. It follows
            a name that cameras, phones and programs give.
        folder: Where the file is, if its name alone says too little; empty if it is not known.

    """
    stem = name_without_suffix(name)
    behind = own_id[:_MAX_OWN_ID] if is_generic(stem) or (is_view(stem) and not folder) else ""
    return _entity("/".join(part for part in (folder, stem) if part), behind)


def earlier_entity(name: str, entity: EntityId) -> EntityId | None:
    """Return the id that earlier versions made from a file's name, if it differs from ``entity``.

    They kept only letters and digits of ASCII. None if ``entity`` is more than the name, such as a folder's, too.
    """
    if entity.key != entity_key(name_without_suffix(name)):
        return None
    stem = name.rpartition(".")[0] or name
    plain = unicodedata.normalize("NFKD", stem.replace("ß", "ss")).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:MAX_ENTITY].strip("_")
    return EntityId(made) if made and made != entity.key else None


def is_same_name(name: str, other: str) -> bool:
    """Return whether two files have the same name, whatever their formats."""
    return entity_key(name_without_suffix(name)) == entity_key(name_without_suffix(other))


def suggest_entity(text: str) -> str:
    """Return an id for a text that can't be one; empty if nothing of it would be seen.

    A text that is too long is cut, and the beginning of its digest keeps apart texts that begin alike.
    """
    plain = " ".join(_NOT_PRINTABLE.sub("", _BREAK.sub(" ", text)).split())
    try:
        return EntityId(plain)
    except InvalidInput:
        return _entity(plain, "") if len(plain) > MAX_ENTITY else ""


def _entity(text: str, behind: str) -> EntityId:
    """Return the text as an id. If it can't be kept whole, the beginning of its digest tells it apart from others."""
    written = unicodedata.normalize("NFC", text)
    shown = _NOT_PRINTABLE.sub("_", written).strip()
    try:
        EntityId(shown[-MAX_ENTITY:])
    except InvalidInput:
        # Such as the empty name of “.png”.
        shown, is_whole = _NAMELESS, not written and bool(behind)
    else:
        is_whole = shown == written.strip()
    room = MAX_ENTITY - (len(behind) + 1 if behind else 0)
    if not is_whole or len(shown) > room:
        lost = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LOST_SHOWN]
        behind = f"{lost}_{behind}" if behind else lost
        room = MAX_ENTITY - len(behind) - 1
        # The end of a path says more than its beginning, and the beginning of a name says more than its end.
        shown = shown[-room:].lstrip(" /") if "/" in shown else shown[:room].rstrip()
    return EntityId(f"{shown}_{behind}" if behind else shown)


@dataclass(frozen=True, slots=True)
class FolderNames:
    """The folders that tell apart files of the same name below one root.

    ``root`` is the name of the root folder. ``folders`` has, by the key of each name that there is more than once, the
    folder to put before it, by the path of the file's folder below the root.
    """

    root: str
    folders: dict[str, dict[str, str]]

    def entity(self, path: PurePath, own_id: str, name: str) -> EntityId:
        """Return the id of a file. ``path`` is relative to the root, and ``name`` is the file's name as text."""
        stem, parent = name_without_suffix(name), _parent(path)
        folder = self.folders.get(entity_key(stem), {}).get(parent, "")
        if not folder and is_view(stem):
            folder = path.parent.name or self.root
        return entity_of_file(name, own_id, folder)


def folder_names(root: str, paths: Iterable[PurePath]) -> FolderNames:
    """Return which folders tell apart the files at ``paths``, which are relative to the root.

    Memory grows with the number of files: about 100 bytes for each.
    """
    # Numbers instead of texts, because there may be a million files.
    first: dict[int, int] = {}
    known: dict[str, int] = {}
    repeated: defaultdict[str, dict[str, None]] = defaultdict(dict)
    names: list[str] = []
    for path in paths:
        key, parent = entity_key(name_without_suffix(path.name)), _parent(path)
        place = known.setdefault(parent, len(names))
        if place == len(names):
            names.append(parent)
        earlier = first.setdefault(hash(key), place)
        if earlier != place:
            repeated[key].update({names[earlier]: None, parent: None})
    return FolderNames(root, {key: _distinct(tuple(parents)) for key, parents in repeated.items()})


def _parent(path: PurePath) -> str:
    parent = path.parent.as_posix()
    return "" if parent == "." else parent


def _distinct(parents: Sequence[str]) -> dict[str, str]:
    """Return the shortest ends of paths that tell the paths apart. A file in the root itself needs none."""
    for depth in range(1, max(parent.count("/") for parent in parents) + 2):
        ends = {parent: "/".join(parent.split("/")[-depth:]) for parent in parents}
        if len({entity_key(end) for end in ends.values()}) == len(ends):
            return ends
    # They differ in their case alone.
    return {parent: parent for parent in parents}
