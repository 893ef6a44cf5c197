"""The bot is spoken to without an image: what follows its name, or is said to it directly, is a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelKind
from handlers.listeners.commands import CommandListener
from handlers.parsing.grammar import mention_command
from handlers.parsing.payloads import Mention, parse_mention
from handlers.replies.requester import Requester
from handlers.slack.directory import DirectoryCache


class MentionListener:
    """What a mention starts; one with an image is a share. Both come from the inbox, which knows their repetitions."""

    def __init__(self, commands: CommandListener, directories: DirectoryCache) -> None:
        self._commands = commands
        self._directories = directories

    async def on_mention(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """``@vsearch help``, or any other command."""
        mention = parse_mention(body)
        if mention is None or not await self._is_ours(mention, client):
            return
        requester = Requester(
            mention.workspace, mention.user, client, mention.channel, mention.kind, thread=mention.thread_ts
        )
        await self._commands.run_text(requester, mention_command(mention.text, ""))

    async def _is_ours(self, mention: Mention, client: AsyncWebClient) -> bool:
        """Whether the speaker is of our workspace: where channels are shared, others may read along, but not ask."""
        if mention.user_workspace == mention.workspace:
            return True
        if mention.kind is ChannelKind.SHARED or not mention.user_workspace:
            return mention.kind is not ChannelKind.SHARED
        # Of channels that workspaces of one organisation share, events don't say so.
        people = self._directories.of(mention.workspace, client)
        return await people.kind(mention.channel, ChannelKind.SHARED) is not ChannelKind.SHARED
