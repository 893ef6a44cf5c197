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
    entries = tuple(_entry(home, binding) for binding in home.bindings)
    none = () if entries else (section(wording.NO_CHANNELS),)
    return Section((heading(wording.CHANNELS), *none), entries, wording.more_channels)


def _entry(home: HomeContent, binding: ChannelBinding) -> tuple[Block, ...]:
    text = section(mode_text(binding, _effective(home, binding)))
    if home.changeable_channels is not None and binding.channel not in home.changeable_channels:
        return (text,)
    value = NameState(channel=binding.channel).encode() or ""
    actions = [button(labels.EDIT, ActionId.WATCH, value)]
    if binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
        actions.append(past_pictures_button(binding.channel))
    if binding.mode is not ChannelMode.OFF:
        actions.append(button(labels.STOP_WATCHING, ActionId.UNWATCH, value))
    return text, buttons(actions)


def _effective(home: HomeContent, binding: ChannelBinding) -> DatabaseName | None:
    if binding.database is None and len(home.databases) == 1:
        return home.databases[0].key.name
    return binding.database
