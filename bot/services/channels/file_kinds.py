"""Recognise kinds of files that a guard may leave alone."""

from __future__ import annotations

from bot.domain.channels import FileKind
from bot.domain.pictures import Picture

EMOJI_SIDE = 128
"""Slack makes custom emoji no larger, in pixels."""

STICKER_SIDE = 512
"""Messengers make stickers no larger, in pixels. Telegram and WhatsApp make them WebP files of this size."""


def kinds_of(picture: Picture, mimetype: str) -> frozenset[FileKind]:
    """Return the kinds of a picture. ``mimetype``: the type that Slack gives, as its copy of a file may be another."""
    longest, kinds = max(picture.source_size), set[FileKind]()
    if "image/gif" in mimetype or picture.source_format == "GIF":
        kinds.add(FileKind.GIF)
    if ("image/webp" in mimetype or picture.source_format == "WebP") and longest <= STICKER_SIDE:
        kinds.add(FileKind.STICKER)
    # A preview is smaller than the file itself.
    if longest <= EMOJI_SIDE and not picture.is_preview:
        kinds.add(FileKind.EMOJI)
    return frozenset(kinds)
