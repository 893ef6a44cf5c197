"""Mention listener: run the text after a mention, or of a direct message, as a command."""

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
    """Answers mentions and direct messages without images. Those with images are shares.

    Mentions come from the inbox, which drops repeated deliveries.
    """

    def __init__(self, commands: CommandListener, directories: DirectoryCache) -> None:
        self._commands = commands
        self._directories = directories

    async def on_mention(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Answer ``@vsearch help`` or any other command."""
        mention = parse_mention(body)
        if mention is None or not await self.may_command(mention, client):
            return
        requester = Requester(
            mention.workspace, mention.user, client, mention.channel, mention.kind, thread=mention.thread_ts
        )
        await self._commands.run_text(requester, mention_command(mention.text, ""))

    async def may_command(self, mention: Mention, client: AsyncWebClient) -> bool:
        """Return whether the author may give commands. Members of other organisations in a shared channel may not."""
        if mention.user_workspace == mention.workspace:
            return True
        if mention.kind is ChannelKind.SHARED or not mention.user_workspace:
            return mention.kind is not ChannelKind.SHARED
        # Events don't tell when workspaces of one organisation share a channel.
        directory = self._directories.of(mention.workspace, client)
        return await directory.kind(mention.channel, ChannelKind.SHARED) is not ChannelKind.SHARED
