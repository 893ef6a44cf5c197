"""Everything the bot says besides results and lists: help, databases and channels, offers, what was done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.button_state import EntityState, NameState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block, escape, fit, sendable
from bot.blocks.messages.matches import MAX_NOTE_SHOWN
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
)
from bot.blocks.wording import channel_link, code, count, count_images, escape_sentence, points
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import GUARD_MINIMUM, ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName

MAX_NAMES = 20
MAX_LISTED = 60
MAX_LISTED_WITH_MORE = 20
"""Databases in one block: their names may be long, and a section's text is bounded."""

_HELP = """\
*Find pictures by picture*
Share an image in a channel that I'm in, mention me with one, or send me one: I answer in its thread.
On older messages: ⋮ menu, *Find similar images* or *Add to image database*.

*Look up*
`/vsearch` opens a form for pictures or an address
`/vsearch <image URL>` answers you alone
`/vsearch search last in:parts top:5 min:7` takes the channel's newest image

*Fill and tidy*
`/vsearch add last in:parts id:valve_0042 note:"Ball valve"`
`/vsearch add <image URL> in:parts`
`/vsearch list in:parts prefix:valve order:asc`
`/vsearch delete valve_0042 in:parts`
`/vsearch db` lists the databases
`/vsearch db create parts` · `/vsearch db delete parts`

*Images shared in this channel*
`/vsearch watch lookup in:parts` answers them
`/vsearch watch collect in:parts` adds them
`/vsearch watch guard in:parts min:9` reports copies, adds the rest
`/vsearch unwatch` leaves them alone
`/vsearch status` shows what is set

*Scores* run from 0 to 10
9 and more: a copy, edited or not
6 to 9: related
Less: probably something else
`/vsearch help` shows this."""


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """What ``/vsearch status`` tells. ``kind_of_place``: channel or direct. ``problem``: empty for a healthy search."""

    channel: str
    conversation: str
    binding: ChannelBinding | None
    effective: DatabaseName | None
    databases: tuple[DatabaseInfo, ...]
    backend: str
    problem: str = ""
    waiting: int = 0


def help_reply(problem: str = "") -> Reply:
    """All there is, short; first what was not understood, if anything was."""
    usage = tuple(section(escape(part)) for part in _HELP.split("\n\n"))
    if not problem:
        return Reply("How to use /vsearch", usage)
    first = notice(problem)
    return Reply(first.text, (*first.blocks, *usage))


def databases_reply(databases: Sequence[DatabaseInfo]) -> Reply:
    """The workspace's databases with their sizes."""
    if not databases:
        return no_database_reply()
    text = count(len(databases), "image database")
    blocks = [
        section(f"*{text}*", BlockId.SUMMARY),
        *_database_list(databases, MAX_LISTED),
        buttons([_create_button()], BlockId.BUTTONS),
    ]
    return Reply(text, tuple(blocks))


def no_database_reply(channel: str = "") -> Reply:
    """The offer to a workspace that has nothing to search in."""
    return mrkdwn_reply(
        "There is no image database yet, so I have nothing to look pictures up in."
        " Create one, then add pictures with `/vsearch add`.",
        buttons([_create_button(channel, style="primary")], BlockId.BUTTONS),
    )


def several_databases_reply(databases: Sequence[DatabaseInfo], channel: str = "") -> Reply:
    """For an image shared where it isn't clear which database is meant; ``channel``: where one may be chosen.

    ``databases`` is empty where their names are nobody's business.
    """
    choices = [_choose_button(channel), _create_button(channel)] if channel else []
    known = f" ({_names(databases)})" if databases else ""
    return mrkdwn_reply(
        f"I know several image databases{known} and can't tell which is meant here."
        " `/vsearch search last in:&lt;database&gt;` looks the newest picture up;"
        " in a direct message or a mention, write `in:&lt;database&gt;` beside the picture.",
        *([buttons(choices, BlockId.BUTTONS)] if choices else []),
    )


def status_reply(status: StatusInfo) -> Reply:
    """What is set here, what there is, and how the search does."""
    text = _channel_text(status)
    blocks = [section(f"*Here*\n{text}", BlockId.SUMMARY)]
    if status.databases:
        images = sum(info.images for info in status.databases)
        blocks.append(section(f"*{count(len(status.databases), 'image database')}*, {count_images(images)}"))
        blocks += _database_list(status.databases, MAX_NAMES)
    else:
        blocks.append(section("*No image databases* yet"))
    health = f":warning: {escape_sentence(status.problem)}" if status.problem else "healthy"
    blocks.append(section(f"*Search engine*\n{code(status.backend)}: {health}"))
    if status.waiting:
        verb = "is" if status.waiting == 1 else "are"
        blocks.append(context_block(f"{count(status.waiting, 'message')} with images {verb} waiting for me."))
    choices = [_create_button()]
    if status.conversation == "channel" and status.databases:
        choices.insert(0, _choose_button(status.channel))
    return Reply(text, (*blocks, buttons(choices, BlockId.BUTTONS)))


def watching_reply(binding: ChannelBinding, effective: DatabaseName | None) -> Reply:
    """What happens from now on to the images of a channel; ``effective``: the database that is used for it."""
    text = watching_text(binding, effective)
    if binding.mode is ChannelMode.OFF or effective is not None:
        return mrkdwn_reply(text)
    return mrkdwn_reply(
        text, buttons([_choose_button(binding.channel), _create_button(binding.channel)], BlockId.BUTTONS)
    )


def watching_text(binding: ChannelBinding, effective: DatabaseName | None) -> str:
    """A channel's setting in a sentence or two."""
    images = f"Images shared in {channel_link(binding.channel)}"
    if binding.mode is ChannelMode.OFF:
        return f"{images} are left alone. `/vsearch watch` changes that."
    where = "a database, once one is chosen" if effective is None else f"`{effective}`"
    if binding.mode is ChannelMode.COLLECT:
        return f"{images} are added to {where}."
    if binding.mode is ChannelMode.GUARD:
        minimum = GUARD_MINIMUM if binding.minimum is None else binding.minimum
        return f"{images} are compared with {where}: I report matches of {points(minimum)} and more, and add the rest."
    shown = "" if binding.minimum is None else f" Matches of {points(binding.minimum)} and more are shown."
    return f"{images} are looked up in {where}.{shown}"


def created_reply(info: DatabaseInfo) -> Reply:
    """A database was made; how to fill it."""
    name = info.key.name
    return mrkdwn_reply(
        f"The database `{name}` is ready.\n"
        f"`/vsearch add last in:{name}` adds the newest image of a channel.\n"
        f"`/vsearch watch collect in:{name}` adds every image shared in one."
    )


def database_deleted_reply(name: str, images: int) -> Reply:
    """A database is gone."""
    return mrkdwn_reply(f"Deleted the database {code(name)} with {count_images(images)}.")


def added_reply(database: str, entity: str, *, note: str = "", name: str = "") -> Reply:
    """A picture is in a database now; ``name`` is that of its file."""
    text = sendable(note)
    return mrkdwn_reply(
        f"Added {code(name, 'the image')} to {code(database)} as {code(entity)}.",
        *([verbatim(text, MAX_NOTE_SHOWN)] if text else []),
    )


def already_added_reply(database: str, entity: str = "") -> Reply:
    """Nothing was changed. ``entity``: empty if this person may not know it."""
    known_as = f", as {code(entity)}" if entity else ""
    return mrkdwn_reply(f"This image is in {code(database)} already{known_as}.")


def collected_problems_reply(problems: Sequence[tuple[str, str]]) -> Reply:
    """For the author alone: file names, and a sentence each that says why it was not added."""
    text = f"I could not add {count(len(problems), 'of your images', 'of your images')}."
    lines = [section(f"{code(name, 'An image')}: {escape_sentence(sentence)}") for name, sentence in problems]

    def build(kept: int) -> list[Block]:
        rest = len(lines) - kept
        left_out = [context_block(f"and {rest:,} more", BlockId.LEFT_OUT)] if rest else []
        return [section(text, BlockId.NOTICE), *lines[:kept], *left_out]

    return Reply(text, fit(len(lines), build))


def delete_question(info: DatabaseInfo, entity: str, images: int) -> Reply:
    """Asks before an entity's images are deleted."""
    name = info.key.name
    which = "the image" if images == 1 else f"all {count_images(images)}"
    sure = confirmation(
        f"Delete {entity}?", f"This deletes {which} of {entity} from {name} for everybody.", "Delete", "Keep"
    )
    value = EntityState(database=name, entity=entity).encode() or ""
    choices = [
        button("Delete", ActionId.DELETE_ENTITY, value, style="danger", confirm=sure),
        button("Keep", ActionId.DISMISS, value),
    ]
    return mrkdwn_reply(
        f"Delete {which} of {code(entity)} from `{name}`? This can't be undone.", buttons(choices, BlockId.BUTTONS)
    )


def cannot_post_reply(channel: str, reason: str) -> Reply:
    """For whoever waits for an answer in a channel that the bot may not write to; ``reason`` is ours."""
    return mrkdwn_reply(f"I can't answer in {channel_link(channel)}: {reason}.")


def deleted_reply(database: str, entity: str, images: int) -> Reply:
    """An entity's images are gone."""
    return mrkdwn_reply(f"Deleted {count_images(images)} of {code(entity)} from {code(database)}.")


def _channel_text(status: StatusInfo) -> str:
    if status.conversation != "channel":
        where = "a database, once there is one" if status.effective is None else f"`{status.effective}`"
        return f"Images that you send me are looked up in {where}."
    if status.binding is not None:
        return watching_text(status.binding, status.effective)
    where = "a database, once one is chosen" if status.effective is None else f"`{status.effective}`"
    return f"Images shared in {channel_link(status.channel)} are looked up in {where}, if I am in it."


def _database_list(databases: Sequence[DatabaseInfo], most: int) -> list[Block]:
    lines = [f"`{info.key.name}`  ·  {count_images(info.images)}" for info in databases[:most]]
    parts = [lines[start : start + MAX_LISTED_WITH_MORE] for start in range(0, len(lines), MAX_LISTED_WITH_MORE)]
    blocks = [section("\n".join(part)) for part in parts]
    rest = len(databases) - len(lines)
    return [*blocks, context_block(f"and {rest:,} more", BlockId.LEFT_OUT)] if rest else blocks


def _names(databases: Sequence[DatabaseInfo]) -> str:
    names = [f"`{info.key.name}`" for info in databases[:MAX_NAMES]]
    return ", ".join(names) + (", …" if len(databases) > MAX_NAMES else "")


def _create_button(channel: str = "", *, style: str = "") -> Block:
    return button("Create a database", ActionId.CREATE_DATABASE, NameState(channel=channel).encode() or "", style=style)


def _choose_button(channel: str) -> Block:
    return button("Choose a database", ActionId.WATCH, NameState(channel=channel).encode() or "")
