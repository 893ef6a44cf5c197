"""Answers about images to add: what is there already, copies of what is there, and ids that can't be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.blocks.button_state import AddState, ImageState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import BUTTON_TEXT, Block, fit, fits, sendable, shorten
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, provenance
from bot.blocks.messages.results.matches import MAX_NOTE_SHOWN, RankedAnswer, match_blocks
from bot.blocks.mrkdwn import one_line, score_text
from bot.blocks.reply import Reply, button, buttons, context_block, mrkdwn_reply, notice, section, verbatim, with_button
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import images as wording
from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.matches import Verdict

IDENTICAL = 10.0
"""Score of an image with exactly the same pixels."""

MAX_KNOWN_SHOWN = 5
"""Known images of one message that are named. The message to their author stays short."""


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image that was shared or added, and is in the database already.

    Attributes:
        record: what this reader may see of it.
        name: the name of the file.
        asked: another id that the author gave it; empty if there is none.

    """

    record: ImageRecord
    name: str = ""
    asked: str = ""


def known_reply(known: KnownImage) -> Reply:
    """Return as what an image is in the database already."""
    entity, database = known.record.entity, known.record.database.name
    return mrkdwn_reply(wording.already_added(database, entity, known.asked), *_details(known))


def known_images_reply(database: str, known: Sequence[KnownImage]) -> Reply:
    """Return as what images of one message are in the database already. At most MAX_KNOWN_SHOWN are named."""
    if len(known) == 1:
        return known_reply(known[0])
    text = wording.already_added_several(database, len(known))
    shown = [
        [section(wording.already_added(database, one.record.entity, one.asked, one.name)), *_details(one, number)]
        for number, one in enumerate(known[:MAX_KNOWN_SHOWN], start=1)
    ]

    def build(kept: int) -> list[Block]:
        rest = len(known) - kept
        left_out = [context_block(wording.and_more(rest), BlockId.LEFT_OUT)] if rest else []
        blocks = [block for one in shown[:kept] for block in one]
        return [section(text, BlockId.NOTICE), *blocks, *left_out]

    return Reply(text, fit(len(shown), build))


def with_previews(remarks: Sequence[Reply], names: Sequence[str]) -> list[Reply]:
    """Return remarks to the author of a message that say, too, which of its files were added by their previews."""
    if not names:
        return list(remarks)
    text = wording.added_by_previews(names[:MAX_KNOWN_SHOWN], len(names))
    if remarks and fits(blocks := (*remarks[-1].blocks, context_block(text))):
        return [*remarks[:-1], replace(remarks[-1], blocks=blocks)]
    return [*remarks, mrkdwn_reply(text)]


def _details(known: KnownImage, number: int = 0) -> list[Block]:
    """Return score, origin and note. If the author gave another id, a button lets people change the image's.

    ``number`` is the image's place in a message about several.
    """
    record = known.record
    note = sendable(record.note)
    value = ImageState(database=record.database.name, image=record.data_id).encode() if known.asked else None
    about = labels.image_in_list(number, record.entity) if number else ""
    return [
        context_block(f"*{score_text(IDENTICAL)}*  ·  {Verdict.SAME}  ·  {provenance(record)}"),
        *([verbatim(note, MAX_NOTE_SHOWN)] if note else []),
        *([buttons([button(labels.EDIT, ActionId.EDIT_IMAGE, value, about=about)])] if value else []),
    ]


def copy_question(
    copy: RankedAnswer, database: str, state: AddState, pictures: Mapping[DataId, PictureRef]
) -> Reply | None:
    """Return the question before a copy of an image is added; None if the answer has no room in a button.

    Args:
        copy: the match, as the reader may see it.
        database: the database's name.
        state: what the buttons add.
        pictures: where Slack gets the match's picture from.

    """
    entity = copy.match.entity
    anyway, same = state.encode(), replace(state, entity=entity).encode()
    if anyway is None or same is None:
        return None
    shown = match_blocks(copy, {copy.match.data_id: pictures.get(copy.match.data_id, NO_PICTURE)})
    choices = [
        button(labels.ADD_ANYWAY, ActionId.ADD_ANYWAY, anyway, style="primary"),
        button(_label(labels.add_to(entity)), f"{ActionId.ADD_ANYWAY}:same", same),
        # It would take away the other questions of the message, too.
        *([] if state.stays else [button(labels.CANCEL, ActionId.DISMISS, AddState().encode() or "")]),
    ]
    return mrkdwn_reply(
        wording.looks_like(copy.match.verdict, entity, database), *shown, buttons(choices, BlockId.BUTTONS)
    )


def refused_id_reply(sentence: str, state: AddState) -> Reply:
    """Return why an id can't be used, and a button that adds the picture with a similar one.

    Without a database in ``state``, the button opens the form that adds the picture.
    """
    label = labels.use_id(state.entity) if state.renames else labels.add_as(state.entity)
    action = ActionId.ADD_AS if state.database else ActionId.OPEN_ADD
    return with_button(notice(sentence), _label(label), action, state, style="primary")


def _label(text: str) -> str:
    return shorten(one_line(text), BUTTON_TEXT)
