"""Find the pictures of a message: its files, those of forwarded messages, image blocks and unfurled links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from bot.services.images.file_names import name_at
from handlers.parsing.payloads.common import items, mapping, text
from handlers.parsing.payloads.files import FileState, SharedFile, parse_file

MAX_DEPTH = 6
"""Levels of messages, attachments and blocks inside each other. Slack nests a forwarded message two levels deep."""

MAX_OBJECTS = 2000
"""Files, attachments and blocks of one message that are looked at."""

MAX_LINKS = 50
"""Links of one message that are fetched, each from a server that may be slow."""

_WORDS = ("title", "text", "pretext", "service_name", "author_name", "author_id", "fields", "footer", "blocks")
_OF_APP = ("is_app_unfurl", "app_unfurl_url", "app_id", "bot_id")
_OF_MESSAGE = ("is_share", "is_msg_unfurl")

_MAX_URL = 3000
_FILE_ID = re.compile(r"F[A-Z0-9]{1,62}")
_FILE_IN_PATH = re.compile(r"/(?:files-(?:pri|tmb)/[A-Z0-9]+-|files/[^/]+/)(F[A-Z0-9]+)(?=[-/]|$)")
_ID_BYTES = 12


def images_of(listed: object) -> tuple[SharedFile, ...]:
    """Return the distinct files that may be images."""
    files = (file for item in items(listed) if (file := parse_file(item)))
    return _distinct(file for file in files if file.may_be_image)


def shared_images(message: Mapping[str, Any]) -> tuple[SharedFile, ...]:
    """Return the files that may be images, those of forwarded messages included."""
    return _distinct(file for file in _Search().files(message) if file.may_be_image)


def shared_pictures(message: Mapping[str, Any]) -> tuple[SharedFile, ...]:
    """Return what a person shares with a message: images, image blocks, and links to pictures that Slack shows.

    That is also what the messages show that it forwards. The preview of a web page is not what its author shared.
    """
    shown = _distinct(_Search().shared(message))
    links = [file for file in shown if file.link][:MAX_LINKS]
    return _distinct([*shared_images(message), *(file for file in shown if not file.link or file in links)])


def picture_links(message: Mapping[str, Any]) -> dict[str, SharedFile]:
    """Return the pictures that Slack shows of links to them, by the addresses of the links."""
    found: dict[str, SharedFile] = {}
    for raw in items(message.get("attachments"))[:MAX_LINKS]:
        if picture := _linked_picture(attachment := mapping(raw)):
            found |= dict.fromkeys(_addresses(attachment) or [picture.link], picture)
    return found


def pictures_of(
    message: Mapping[str, Any], *, waits_for_previews: bool = False, icons: bool = True
) -> tuple[SharedFile, ...]:
    """Return everything in a message that somebody may ask about.

    These are images, files with a preview, image blocks, and pictures that Slack shows of links.

    Args:
        message: the message, as in an event, a shortcut or a history.
        waits_for_previews: include files of which Slack may still be making a preview.
        icons: include icons and small pictures beside text if the message shows no other picture.

    """
    search = _Search()
    files = [file for file in search.files(message) if file.is_shown or (waits_for_previews and file.is_previewed)]
    shown = _distinct(search.pictures(message))
    links = [file for file in shown if file.link][:MAX_LINKS]
    found = _distinct([*files, *(file for file in shown if not file.link or file in links)])
    # Small pictures are not what a message is about, unless it shows nothing else.
    return found or (_distinct(search.icons) if icons else ())


def forwarded_files(message: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the pictures and files that a message shares of forwarded messages, without deleted ones."""
    search = _Search()
    forwards = [raw for raw in items(message.get("attachments")) if _is_message(mapping(raw))]
    files = [*search.files({"attachments": message.get("attachments")}), *search.shared({"attachments": forwards})]
    return frozenset(file.id for file in files if file.state is not FileState.GONE)


def shows_file(message: Mapping[str, Any], file: str) -> bool:
    """Return whether a message shows a file that it doesn't share: in a forwarded message or a block."""
    search, around = _Search(), {name: message.get(name) for name in ("attachments", "blocks")}
    shown = [*search.files(around), *search.pictures(around)]
    return any(one.id == file and one.state is not FileState.GONE for one in shown)


def unfurled(message: Mapping[str, Any], url: str) -> SharedFile | None:
    """Return the picture that Slack shows of a link in a message, or None."""
    for raw in items(message.get("attachments")):
        attachment = mapping(raw)
        addresses = {text(attachment.get(name)) for name in ("from_url", "original_url", "title_link")}
        if _comparable(url) in map(_comparable, addresses) and (found := _attachment_picture(attachment)):
            return found
    return None


def _comparable(url: str) -> str:
    return url.partition("#")[0].rstrip("/")


def _distinct(files: Iterable[SharedFile]) -> tuple[SharedFile, ...]:
    kept: dict[str, SharedFile] = {}
    for file in files:
        kept.setdefault(file.id, file)
    return tuple(kept.values())


@dataclass(slots=True)
class _Search:
    """One walk through a message, whatever it consists of. It ends after MAX_OBJECTS objects."""

    left: int = MAX_OBJECTS
    icons: list[SharedFile] = field(default_factory=list)

    def files(self, message: Mapping[str, Any], depth: int = 0) -> Iterator[SharedFile]:
        """Yield the files of a message, and those of messages that it forwards."""
        for raw in self._some(message.get("files")):
            if file := parse_file(raw):
                # A forwarded file may be of a channel that the bot can't read. Only files.info tells.
                is_known = not depth or file.state is FileState.GONE
                yield file if is_known else replace(file, state=FileState.STUB)
        if depth < MAX_DEPTH:
            for inner in self._inner(message):
                yield from self.files(inner, depth + 1)

    def shared(self, message: Mapping[str, Any], depth: int = 0) -> Iterator[SharedFile]:
        """Yield the image blocks of a message and the pictures that it links to, and those of forwarded messages."""
        for raw in self._some(message.get("blocks")):
            if (block := mapping(raw)).get("type") == "image":
                yield from _picture(block)
        for raw in self._some(message.get("attachments")):
            attachment = mapping(raw)
            if found := _linked_picture(attachment):
                yield found
            elif depth < MAX_DEPTH and _is_message(attachment):
                yield from self.shared(attachment, depth + 1)
        for raw in self._some(message.get("message_blocks")):
            if depth < MAX_DEPTH:
                yield from self.shared(mapping(mapping(raw).get("message")), depth + 1)

    def pictures(self, message: Mapping[str, Any], depth: int = 0) -> Iterator[SharedFile]:
        """Yield the image blocks of a message and the pictures of its links, and those of messages inside."""
        yield from self._blocks(message.get("blocks"), depth)
        if depth and (found := _attachment_picture(message)):
            yield found
        if depth < MAX_DEPTH:
            for inner in self._inner(message):
                yield from self.pictures(inner, depth + 1)

    def _inner(self, message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield attachments, and the messages that a forwarded message consists of."""
        for raw in self._some(message.get("attachments")):
            yield mapping(raw)
        for raw in self._some(message.get("message_blocks")):
            yield mapping(mapping(raw).get("message"))

    def _blocks(self, blocks: object, depth: int) -> Iterator[SharedFile]:
        for raw in self._some(blocks):
            block = mapping(raw)
            if text(block.get("type")) in {"image", "video"} or "image_url" in block or "slack_file" in block:
                yield from _picture(block)
            yield from _picture(mapping(block.get("hero_image")))
            self.icons += _picture(mapping(block.get("accessory")))
            if block.get("type") == "context":
                self.icons += [icon for one in self._some(block.get("elements")) for icon in _picture(mapping(one))]
            elif depth < MAX_DEPTH:
                for name in ("elements", "cards", "children", "blocks"):
                    yield from self._blocks(block.get(name), depth + 1)

    def _some(self, listed: object) -> Iterator[object]:
        for one in items(listed):
            if self.left <= 0:
                return
            self.left -= 1
            yield one


def _picture(element: Mapping[str, Any]) -> Iterator[SharedFile]:
    """Yield the picture of an image block or element, or the preview of a video block."""
    name = text(mapping(element.get("title")).get("text")) or text(element.get("alt_text"))
    file = mapping(element.get("slack_file"))
    if identifier := text(file.get("id")) or _file_of(text(file.get("url"))):
        if _FILE_ID.fullmatch(identifier):
            yield SharedFile(identifier, FileState.STUB, name)
    elif found := _link(text(element.get("image_url")), text(element.get("thumbnail_url")), name=name):
        yield found


def _linked_picture(attachment: Mapping[str, Any]) -> SharedFile | None:
    """Return the picture of an attachment that Slack made of a link to it. Its preview of a page has words, too."""
    addresses = _addresses(attachment)
    shown = text(attachment.get("image_url")) or text(attachment.get("thumb_url"))
    if _is_message(attachment):
        return None
    is_itself = _comparable(shown) in map(_comparable, addresses)
    if not is_itself and (not attachment.get("image_url") or any(map(attachment.get, (*_WORDS, *_OF_APP)))):
        return None
    # The name is that of the address. Slack's own words, such as "640x480px image", are the same for many pictures.
    return _link(shown, name="")


def _addresses(attachment: Mapping[str, Any]) -> list[str]:
    """Return the addresses that Slack made an attachment of."""
    return [url for name in ("from_url", "original_url") if (url := text(attachment.get(name)))]


def _is_message(attachment: Mapping[str, Any]) -> bool:
    """Return whether an attachment is a forwarded message."""
    return any(attachment.get(name) for name in _OF_MESSAGE)


def _attachment_picture(attachment: Mapping[str, Any]) -> SharedFile | None:
    """Return the picture of an attachment: of an unfurled link, or of an app's message."""
    urls = text(attachment.get("image_url")), text(attachment.get("thumb_url"))
    return _link(*urls, name=text(attachment.get("title")), otherwise=text(attachment.get("fallback")))


def _link(*urls: str, name: str, otherwise: str = "") -> SharedFile | None:
    """Return a picture at the first address. It is fetched like an address that a person types, without a token."""
    first, *rest = [url for url in urls if _is_address(url)] or [""]
    if not first:
        return None
    digest = hashlib.blake2b(first.encode(errors="replace"), digest_size=_ID_BYTES).hexdigest()
    shown = name or name_at(first) or otherwise
    return SharedFile(f"link-{digest}", FileState.READY, text(shown), "image/*", renditions=tuple(rest), link=first)


def _is_address(url: str) -> bool:
    if not url.lower().startswith(("https://", "http://")) or len(url) > _MAX_URL:
        return False
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _file_of(url: str) -> str:
    """Return the id in the address of a Slack file, or an empty string."""
    found = _FILE_IN_PATH.search(url.partition("?")[0])
    return found[1] if found else ""
