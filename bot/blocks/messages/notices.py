"""Messages besides results and listings: help, status, offers, and confirmations of what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.blocks.button_state import CommandState, EntityState, FormInput, NameState, SearchState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block, escape, fit, sendable
from bot.blocks.messages.history import past_pictures_button
from bot.blocks.messages.results.matches import MAX_NOTE_SHOWN
from bot.blocks.mrkdwn import escape_sentence, one_line
from bot.blocks.reply import (
    Reply,
    button,
    buttons,
    confirmation,
    context_block,
    mrkdwn_reply,
    notice,
    section,
    verbatim,
    with_button,
)
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import channels, databases, images
from bot.blocks.wording import help as help_wording
from bot.domain.catalogue import DatabaseInfo, ScoreFit
from bot.domain.channels import ChannelBinding, ChannelKind, ChannelMode
from bot.domain.identifiers import DatabaseName

_NO_FITS: Mapping[DatabaseName, ScoreFit] = {}

MAX_LISTED = 60
MAX_LISTED_IN_STATUS = 20
NAMES_PER_SECTION = 15
"""Databases in one section: names may be long, and a section's text is limited."""


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """What ``/vsearch status`` shows.

    Attributes:
        channel: where the command was typed.
        conversation: ``channel`` or ``direct``.
        binding: the channel's settings; None if it has none.
        effective: the database that the channel uses; None if none can be chosen.
        databases: the workspace's databases.
        backend: the name of the search back end.
        problem: what is wrong with the back end; empty if it works.
        waiting: number of messages in the inbox.
        fits: how the scores of databases were fitted to their pictures, by name.
        off: what the bot can't do, by the optional scope that wasn't granted.

    """

    channel: str
    conversation: str
    binding: ChannelBinding | None
    effective: DatabaseName | None
    databases: tuple[DatabaseInfo, ...]
    backend: str
    problem: str = ""
    waiting: int = 0
    fits: Mapping[DatabaseName, ScoreFit] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)


def help_reply(topic: str = "") -> Reply:
    """Return the help about a topic, or the short one, with buttons for the other topics."""
    parts = help_wording.TOPICS.get(topic, help_wording.HELP).split("\n\n")
    others = [
        button(label, f"{ActionId.RUN_COMMAND}:{name}", CommandState(text=f"help {name}").encode() or "")
        for name, label in help_wording.TOPIC_LABELS.items()
        if name != topic
    ]
    blocks = (*(section(escape(part)) for part in parts), buttons(others, BlockId.BUTTONS))
    return Reply(help_wording.TITLE, blocks)


def suggestion_reply(sentence: str, command: str) -> Reply:
    """Return what was wrong with a command, and a button that runs the command that was probably meant."""
    label = labels.run_command(one_line(command))
    return with_button(notice(sentence), label, ActionId.RUN_COMMAND, CommandState(text=command))


def failed_form_reply(sentence: str, entered: FormInput) -> Reply:
    """Return why a form failed after it was closed, and a button that opens it again with what was entered."""
    return with_button(notice(sentence), labels.TRY_AGAIN, ActionId.REOPEN_FORM, entered)


def other_database_reply(sentence: str, search: SearchState) -> Reply:
    """Return why a picture was not searched, and a button that searches the database that was probably meant."""
    return with_button(notice(sentence), labels.search_in(search.database), ActionId.MORE, search)


def databases_reply(infos: Sequence[DatabaseInfo], fits: Mapping[DatabaseName, ScoreFit] = _NO_FITS) -> Reply:
    """Return the workspace's databases with their sizes; ``fits`` says how the scores of some were fitted."""
    if not infos:
        return no_database_reply()
    text = databases.databases_title(len(infos))
    blocks = [
        section(f"*{text}*", BlockId.SUMMARY),
        *_database_list(infos, MAX_LISTED, fits),
        buttons([_create_button()], BlockId.BUTTONS),
    ]
    return Reply(text, tuple(blocks))


def no_database_reply(channel: str = "") -> Reply:
    """Return the offer to create the workspace's first database, which ``channel`` then uses."""
    return mrkdwn_reply(databases.NO_DATABASE, buttons([_create_button(channel, style="primary")], BlockId.BUTTONS))


def several_databases_reply(infos: Sequence[DatabaseInfo], channel: str = "") -> Reply:
    """Return the question which database to search for an image.

    Args:
        infos: the databases; empty where their names must stay private.
        channel: the channel that a database can be chosen for; empty for none.

    """
    choices = [_choose_button(channel), _create_button(channel)] if channel else []
    return mrkdwn_reply(
        databases.SEVERAL_DATABASES,
        *([buttons(choices, BlockId.BUTTONS)] if choices else []),
        context_block(databases.several_databases_hint(infos)),
    )


def status_reply(status: StatusInfo) -> Reply:
    """Return the channel's settings, the databases, and the search back end's health."""
    text = _channel_text(status)
    blocks = [section(channels.here(text), BlockId.SUMMARY)]
    if status.databases:
        blocks.append(section(databases.databases_and_images(status.databases)))
        blocks += _database_list(status.databases, MAX_LISTED_IN_STATUS, status.fits)
    else:
        blocks.append(section(databases.NO_DATABASE_STATUS))
    blocks.append(section(channels.back_end_health(status.backend, escape_sentence(status.problem))))
    if status.waiting:
        blocks.append(context_block(channels.waiting(status.waiting)))
    if status.off:
        blocks.append(context_block(channels.turned_off(status.off)))
    choices = [_create_button()]
    if status.conversation == "channel" and status.databases:
        choices.insert(0, _choose_button(status.channel))
    return Reply(text, (*blocks, buttons(choices, BlockId.BUTTONS)))


def watching_reply(binding: ChannelBinding, effective: DatabaseName | None) -> Reply:
    """Return what happens to a channel's images from now on; ``effective`` is the database that the channel uses."""
    text = channels.mode_text(binding, effective)
    if effective is not None and binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
        return mrkdwn_reply(text, buttons([past_pictures_button(binding.channel)]))
    if binding.mode is ChannelMode.OFF or effective is not None:
        return mrkdwn_reply(text)
    return mrkdwn_reply(
        text, buttons([_choose_button(binding.channel), _create_button(binding.channel)], BlockId.BUTTONS)
    )


def created_reply(info: DatabaseInfo) -> Reply:
    """Return that a database was created, and how to fill it."""
    return mrkdwn_reply(databases.created(info.key.name))


def database_deleted_reply(name: str, deleted: int) -> Reply:
    """Return that a database was deleted, with ``deleted`` images."""
    return mrkdwn_reply(databases.deleted(name, deleted))


def added_reply(
    database: str,
    entity: str,
    *,
    note: str = "",
    name: str = "",
    typed: str = "",
    kind: ChannelKind = ChannelKind.PUBLIC,
) -> Reply:
    """Return that an image was added.

    Args:
        database: the database's name.
        entity: the id that the image has.
        note: its note.
        name: the name of its file.
        typed: the id as its author wrote it, if any.
        kind: that of the conversation that the image came from.

    """
    text = sendable(note)
    spelling = f" {images.written_as(database, typed, entity)}" if typed and typed != entity else ""
    return mrkdwn_reply(
        " ".join(filter(None, (images.added(database, entity, name) + spelling, images.seen_by(kind)))),
        *([verbatim(text, MAX_NOTE_SHOWN)] if text else []),
    )


def already_added_reply(database: str, entity: str = "") -> Reply:
    """Return that nothing was added; ``entity`` is empty if this reader may not know it."""
    return mrkdwn_reply(images.already_added(database, entity))


def collected_problems_reply(problems: Sequence[tuple[str, str]]) -> Reply:
    """Return which images were not added, for their author alone; ``problems`` are file names and reasons."""
    text = images.not_added(len(problems))
    lines = [section(images.not_added_reason(name, escape_sentence(reason))) for name, reason in problems]

    def build(kept: int) -> list[Block]:
        rest = len(lines) - kept
        left_out = [context_block(images.and_more(rest), BlockId.LEFT_OUT)] if rest else []
        return [section(text, BlockId.NOTICE), *lines[:kept], *left_out]

    return Reply(text, fit(len(lines), build))


def delete_question(info: DatabaseInfo, entity: str, number: int, mark: str = "") -> Reply:
    """Return the question before all ``number`` images of an entity are deleted; ``mark`` is the catalogue's."""
    name = info.key.name
    title, text = images.delete_confirmation(name, entity, number)
    value = EntityState(database=name, entity=entity, mark=mark).encode() or ""
    choices = [
        button(
            labels.DELETE,
            ActionId.DELETE_ENTITY,
            value,
            style="danger",
            confirm=confirmation(title, text, labels.DELETE, labels.KEEP),
        ),
        button(labels.KEEP, ActionId.DISMISS, value),
    ]
    return mrkdwn_reply(images.delete_question(name, entity, number), buttons(choices, BlockId.BUTTONS))


def cannot_post_reply(channel: str, reason: str) -> Reply:
    """Return why the bot can't post in a channel, for the person who waits; ``reason`` is already escaped."""
    return mrkdwn_reply(channels.cannot_post(channel, reason))


def deleted_reply(database: str, entity: str, number: int) -> Reply:
    """Return that all ``number`` images of an entity were deleted."""
    return mrkdwn_reply(images.deleted(database, entity, number))


def _channel_text(status: StatusInfo) -> str:
    if status.conversation != "channel":
        return channels.direct_message_text(status.effective)
    if status.binding is not None:
        return channels.mode_text(status.binding, status.effective)
    return channels.default_mode_text(status.channel, status.effective)


def _database_list(
    infos: Sequence[DatabaseInfo], max_listed: int, fits: Mapping[DatabaseName, ScoreFit]
) -> list[Block]:
    lines = [databases.database_line(info, fits.get(info.key.name)) for info in infos[:max_listed]]
    parts = [lines[start : start + NAMES_PER_SECTION] for start in range(0, len(lines), NAMES_PER_SECTION)]
    blocks = [section("\n".join(part)) for part in parts]
    rest = len(infos) - len(lines)
    if rest:
        blocks.append(context_block(images.and_more(rest), BlockId.LEFT_OUT))
    return [*blocks, context_block(databases.RESET_SCORES)] if fits else blocks


def _create_button(channel: str = "", *, style: str = "") -> Block:
    return button(
        labels.CREATE_DATABASE, ActionId.CREATE_DATABASE, NameState(channel=channel).encode() or "", style=style
    )


def _choose_button(channel: str) -> Block:
    return button(labels.CHOOSE_DATABASE, ActionId.WATCH, NameState(channel=channel).encode() or "")


def link_reply(name: DatabaseName, template: str, *, is_new: bool = False) -> Reply:
    """Return where the ids of a database lead."""
    return mrkdwn_reply(databases.link_text(name, f"`{escape(template)}`" if template else "", is_new=is_new))
