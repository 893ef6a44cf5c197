"""The channels in App Home: what the bot does with their images."""

from __future__ import annotations

from bot.blocks.button_state import NameState
from bot.blocks.home.content import HomeContent, Section
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block
from bot.blocks.messages.history import past_pictures_button
from bot.blocks.reply import button, buttons, heading, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import home as wording
from bot.blocks.wording.channels import mode_text
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName


def channels_section(home: HomeContent) -> Section:
    """Return the channels with a mode, or that there are none."""
    entries = tuple(_entry(home, binding, number) for number, binding in enumerate(home.bindings, start=1))
    none = () if entries else (section(wording.NO_CHANNELS),)
    return Section((heading(wording.CHANNELS), *none), entries, wording.more_channels)


def _entry(home: HomeContent, binding: ChannelBinding, number: int) -> tuple[Block, ...]:
    text = section(mode_text(binding, _effective(home, binding)))
    if home.changeable_channels is not None and binding.channel not in home.changeable_channels:
        return (text,)
    value = NameState(channel=binding.channel).encode() or ""
    # Labels are plain text, where Slack doesn't turn a channel's id into its name.
    about = labels.channel_in_list(number, binding.mode)
    actions = [button(labels.EDIT, ActionId.WATCH, value, about=about)]
    if binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
        actions.append(past_pictures_button(binding.channel, about))
    if binding.mode is not ChannelMode.OFF:
        actions.append(button(labels.STOP_WATCHING, ActionId.UNWATCH, value, about=about))
    return text, buttons(actions)


def _effective(home: HomeContent, binding: ChannelBinding) -> DatabaseName | None:
    if binding.database is None and len(home.databases) == 1:
        return home.databases[0].key.name
    return binding.database
