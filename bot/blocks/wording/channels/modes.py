"""Texts about channels: their mode, the bot's status, and why it can't post."""

from __future__ import annotations

from collections.abc import Mapping

from bot.blocks.mrkdwn import channel_link, code, count, points
from bot.blocks.wording.channels.rules import rules_text
from bot.domain.channels import GUARD_MINIMUM, ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName

NO_DATABASE_FOR_GUEST = "This channel has no image database. Ask a member to choose one with `/vsearch watch`."
DIRECT_MESSAGES_HAVE_NO_MODE = "Images you send me directly are always looked up. Set a mode in a channel instead."

CANNOT_POST_REASONS = {
    "not_in_channel": "`/invite` me there and try again",
    "channel_not_found": "`/invite` me there and try again",
    "is_archived": "it's archived, so use another channel",
    "restricted_action": "only some members can post, so ask an admin to let me",
    "restricted_action_read_only_channel": "it's read-only, so use another channel",
    "restricted_action_thread_only_channel": "it only allows replies in threads, so share the image in one",
    "restricted_action_non_threadable_channel": "it doesn't allow threads, so use another channel",
    "missing_scope": "I'm missing a permission, so ask an admin to reinstall the app",
}
"""What to do about each error code of ``chat.postMessage``."""


def cannot_post(channel: str, reason: str) -> str:
    """Return that the bot can't post in a channel; ``channel`` is empty where none is named."""
    return f"I can't post in {channel_link(channel) if channel else 'that channel'}: {reason}."


def invitation(channel: str) -> str:
    """Return the request to invite the bot to a channel."""
    return f"I'm not in {channel_link(channel)} yet. `/invite` me there so I can see its images."


def mode_text(binding: ChannelBinding, effective: DatabaseName | None) -> str:
    """Return what happens to a channel's images; ``effective`` is the database that the channel uses."""
    images = f"Images shared in {channel_link(binding.channel)}"
    if binding.mode is ChannelMode.OFF:
        return f"{images} are ignored. `/vsearch watch` changes that."
    where = _database(effective, "once you choose one")
    if binding.mode is ChannelMode.COLLECT:
        return f"{images} are added to {where}."
    if binding.mode is ChannelMode.GUARD:
        minimum = points(GUARD_MINIMUM if binding.minimum is None else binding.minimum)
        return (
            f"{images} are checked against {where}."
            f" Matches of {minimum} and higher are reported, and everything else is added."
            f"{f' {rules}' if (rules := rules_text(binding.rules)) else ''}"
        )
    shown = "" if binding.minimum is None else f" Matches of {points(binding.minimum)} and higher are shown."
    return f"{images} are looked up in {where}.{shown}"


def default_mode_text(channel: str, effective: DatabaseName | None) -> str:
    """Return what happens to the images of a channel that has no settings."""
    where = _database(effective, "once you choose one")
    return f"If I'm in {channel_link(channel)}, images shared there are looked up in {where}."


def direct_message_text(effective: DatabaseName | None) -> str:
    """Return what happens to images that are sent to the bot directly."""
    return f"Images you send me are looked up in {_database(effective, 'once there is one')}."


def here(text: str) -> str:
    """Return the first section of the status."""
    return f"*Here*\n{text}"


def back_end_health(name: str, escaped_problem: str) -> str:
    """Return the search back end's health; ``escaped_problem`` is empty if it works."""
    return f"*Search back end*\n{code(name)}: {f':warning: {escaped_problem}' if escaped_problem else 'healthy'}"


def waiting(number: int) -> str:
    """Return how many messages are in the inbox."""
    return f"{count(number, 'message')} with images waiting."


def turned_off(scopes: Mapping[str, str]) -> str:
    """Return what is off because optional scopes were not granted, by scope."""
    parts = "; ".join(f"{purpose} ({code(scope)})" for scope, purpose in scopes.items())
    return f"Off, because this workspace doesn't allow it: {parts}. An admin can reinstall the app to allow more."


def _database(effective: DatabaseName | None, condition: str) -> str:
    return f"a database {condition}" if effective is None else f"`{effective}`"
