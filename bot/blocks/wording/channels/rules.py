"""Texts about the rules of guard channels, and about who may change a channel's settings."""

from __future__ import annotations

from collections.abc import Iterable

from bot.blocks.mrkdwn import channel_link, count, points, user_mention
from bot.blocks.wording.commands import join_words
from bot.domain.channels import ChannelBinding, ChannelMode, FileKind, GuardRules, OwnReposts, SettingsEditors
from bot.domain.identifiers import DatabaseName

OWN_INVALID = "`own:` must be `report`, `ignore`, or how long to ignore own reposts, such as `own:10m`."
ALLOW_INVALID = (
    "`allow:` takes people, user groups and `gif`, `sticker` or `emoji`: `allow:@lea,gif`."
    " `allow:none` checks everything."
)
NO_GROUPS = "User groups don't work here. Name the people instead: `editors:@lea,@tom`."
GROUPS_UNKNOWN = (
    "I can't read user groups without the permission `usergroups:read`. Ask an admin to grant it, or name people."
)
REPORT_INVALID = "`report:` must be a channel, such as `report:#mods`. `report:off` stops these reports."
CANNOT_REPORT_THERE = "I can't post reports in that channel. `/invite` me there and try again."
REPORTS_WOULD_LEAK = (
    "Not everybody in that channel for reports can see this channel's images. Choose one whose members are all here."
)
QUIET_INVALID = "`quiet:` must be `on` or `off`."
EDITORS_INVALID = (
    "`editors:` must be `everybody`, `creators` (whoever created a channel) or people: `editors:creators,@lea`."
)
RULES_NEED_GUARD = "`window:`, `own:`, `allow:`, `report:` and `quiet` belong to `/vsearch watch guard`."
ONLY_ADMINS_SET_EDITORS = "Only workspace admins can change who may set channel modes. Ask one of them to do it."

KIND_NAMES = {FileKind.GIF: "GIFs", FileKind.STICKER: "stickers", FileKind.EMOJI: "emoji-sized pictures"}


def window_invalid(most: int) -> str:
    """Return the right form of ``window:``."""
    return f"`window:` must be a number of days from 1 to {most:,}, such as `window:30d`. `window:off` has no limit."


def too_many_people(most: int) -> str:
    """Return how many people a rule takes."""
    return f"That's more than {most} people."


def unknown_name(name: str) -> str:
    """Return that no person or channel has a typed name."""
    return f"I can't find {name}. Pick it from Slack's list while you type, or use the form in my Home tab."


def not_an_editor(editors: SettingsEditors) -> str:
    """Return who may change a channel's settings, without names."""
    others = ["whoever created this channel"] if editors.creators else []
    others += ["people whom they chose"] if editors.people else []
    who = join_words(["workspace admins", *others])
    return f"Only {who} can change what I do with this channel's images. Ask one of them to do it."


def who_edits(editors: SettingsEditors) -> str:
    """Return who may change the settings of channels."""
    if editors.everybody:
        return "everybody"
    whoever = ["whoever created a channel"] if editors.creators else []
    return join_words([*whoever, *map(user_mention, sorted(editors.people)), "workspace admins"])


def editors_set(editors: SettingsEditors) -> str:
    """Return who may change the settings of channels from now on."""
    return f"From now on, {who_edits(editors)} can change what I do with a channel's images."


def announcement(binding: ChannelBinding, effective: DatabaseName | None) -> str:
    """Return the line that announces a change in its channel: who made it, and what the settings are now."""
    who = user_mention(binding.changed_by) or "Somebody"
    if binding.mode is ChannelMode.OFF:
        return f"{who} turned me off in this channel. I ignore its images from now on."
    settings = [f"*{binding.mode}*", f"`{effective}`" if effective else "no database yet"]
    if binding.minimum is not None:
        settings.append(f"`min:{points(binding.minimum)}`")
    rules = rules_text(binding.rules)
    return f"{who} set what I do with this channel's images: {', '.join(settings)}.{f' {rules}' if rules else ''}"


def rules_text(rules: GuardRules) -> str:
    """Return the rules that differ from none, each as a sentence."""
    return " ".join(_sentences(rules))


def _sentences(rules: GuardRules) -> Iterable[str]:
    if rules.window_days is not None:
        yield f"Postings older than {count(rules.window_days, 'day')} don't count."
    if rules.own is OwnReposts.IGNORE:
        yield "People may post their own images again."
    elif rules.leeway_minutes:
        yield f"People may post their own images again within {duration(rules.leeway_minutes)}."
    if rules.people or rules.groups:
        # A mention of a group would notify all its members.
        groups = [f"the members of {count(len(rules.groups), 'user group')}"] if rules.groups else []
        who = join_words([*map(user_mention, sorted(rules.people)), *groups])
        yield f"{who[:1].upper()}{who[1:]} may post anything again."
    if rules.exempt:
        kinds = join_words([KIND_NAMES[kind] for kind in FileKind if kind in rules.exempt])
        yield f"{kinds[:1].upper()}{kinds[1:]} are left alone."
    if rules.report_to:
        yield f"Reports go to {channel_link(rules.report_to)}{', and not to threads' if rules.quiet else ' too'}."
    if rules.quiet:
        yield "Reposts get a reaction."


def duration(minutes: int) -> str:
    """Return a number of minutes as people say it."""
    hours = minutes // 60
    return count(hours, "hour") if hours and not minutes % 60 else count(minutes, "minute")
