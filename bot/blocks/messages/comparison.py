"""The comparison of the picture that was searched with, and a stored one: as a modal, or as a message."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.ids import BlockId, ViewId
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import PictureRef, image_of, provenance
from bot.blocks.modals import ViewPayload, message_view
from bot.blocks.mrkdwn import database_code, escape_sentence
from bot.blocks.reply import Reply, context_block, section
from bot.blocks.wording import comparison as wording
from bot.blocks.wording.images import entity_title
from bot.domain.catalogue import ImageRecord


def comparison_reply(record: ImageRecord, sentence: str, picture: PictureRef) -> Reply:
    """Return the comparison with a stored image as a message: what it shows in words, and the picture."""
    image = image_of(picture, wording.ALT.format(sentence))
    title = entity_title(record.entity, automatic=record.named_automatically)
    about = wording.compared_with(title, database_code(record.database.name), provenance(record))
    shown = image if image is not None else section(wording.NOT_SHOWN, BlockId.LEFT_OUT)
    return Reply(sentence, (section(f"*{sentence}*", BlockId.SUMMARY), shown, context_block(about)))


def without_image(reply: Reply) -> Reply:
    """Return a comparison in words alone, for when Slack refuses its picture."""
    sentence = section(wording.NOT_SHOWN, BlockId.LEFT_OUT)
    blocks = tuple(sentence if block["type"] == "image" else block for block in reply.blocks)
    return replace(reply, blocks=blocks)


def comparison_view(reply: Reply) -> ViewPayload:
    """Return a message as a modal without fields."""
    return message_view(ViewId.COMPARISON, wording.TITLE, list(reply.blocks))


def waiting_view() -> ViewPayload:
    """Return the modal that is open until the comparison is there."""
    return message_view(ViewId.COMPARISON, wording.TITLE, [section(wording.IN_PROGRESS)])


def failed_view(sentence: str) -> ViewPayload:
    """Return the modal that says why there is no comparison."""
    blocks: list[Block] = [section(escape_sentence(sentence) or wording.NOT_SHOWN)]
    return message_view(ViewId.COMPARISON, wording.TITLE, blocks)
