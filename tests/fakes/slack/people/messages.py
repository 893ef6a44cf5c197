"""What people do in conversations, and the resulting events."""

from __future__ import annotations

import asyncio

from tests.fakes.slack.base import GENERAL, SOMEONE, StandInBase
from tests.fakes.slack.files import hosted
from tests.fakes.slack.payloads import command_body, event_body, message_object, share_event
from tests.fakes.slack.values import HostedFile, Json, Message


class ConversationActions(StandInBase):
    """Share, write, edit, delete, type commands, uninstall."""

    def host(
        self, content: bytes, name: str = "picture.png", *, team: str = "", user: str = SOMEONE, **changes: object
    ) -> HostedFile:
        """Store a file, as an upload does. ``changes`` go into its file object."""
        workspace = self.state.workspace(team)
        file = hosted(self.state, f"F{self.state.number():04d}", name, content, workspace)
        file.info |= {"user": user, **changes}
        return file

    async def upload(
        self,
        *images: bytes | HostedFile,
        channel: str = GENERAL,
        user: str = SOMEONE,
        text: str = "",
        thread_ts: str = "",
        redeliveries: int = 0,
        twins: int = 0,
        mention: bool = False,
    ) -> Message:
        """Share files. The bot gets ``message`` with subtype file_share, and a ``file_shared`` for each.

        ``redeliveries`` repeat the message's event under its own event id, as Slack does when it got no
        acknowledgement. ``twins`` repeat it under new ids, as a second subscription does. If the text mentions the bot
        (``mention``), an ``app_mention`` with the same files is sent too, except in direct messages.
        """
        workspace = self.state.workspace_of(channel)
        files = [
            image if isinstance(image, HostedFile) else self.host(image, team=workspace.team, user=user)
            for image in images
        ]
        for file in files:
            file.channels.add(channel)
        if mention:
            text = f"<@{workspace.bot_user}> {text}".strip()
        message = await self.state.post(
            Message(channel, self.state.ts(), user, text, thread_ts=thread_ts, files=tuple(files))
        )
        if not self.state.channels[channel].bot_is_member:
            return message
        event = share_event(self.state, message)
        self._repeated(event, redeliveries)
        for _ in range(twins):
            self.event(event)
        self._mention(message, event)
        for file in files:
            shared = {"type": "file_shared", "file_id": file.id, "user_id": user, "channel_id": channel}
            self.event(shared | {"file": {"id": file.id}, "event_ts": message.ts}, team=workspace.team)
        return message

    def deliver_share(self, message: Message) -> None:
        """Deliver a share's event late or again."""
        self._repeated(share_event(self.state, message), 0)

    async def say(
        self,
        text: str,
        *,
        channel: str = GENERAL,
        user: str = SOMEONE,
        thread_ts: str = "",
        mention: bool = False,
        redeliveries: int = 0,
    ) -> Message:
        """Write a message without files. The bot gets ``message``, and ``app_mention`` if it is mentioned.

        ``redeliveries`` repeat both under their own event ids.
        """
        if mention:
            text = f"<@{self.state.workspace_of(channel).bot_user}> {text}".strip()
        message = await self.state.post(Message(channel, self.state.ts(), user, text, thread_ts=thread_ts))
        if self.state.channels[channel].bot_is_member:
            event: Json = {"type": "message", "text": text, "user": user, "channel": channel, "ts": message.ts}
            event |= {"channel_type": self.state.channels[channel].type, "event_ts": message.ts}
            if thread_ts:
                event["thread_ts"] = thread_ts
            self._repeated(event, redeliveries)
            self._mention(message, event, redeliveries)
        return message

    def _repeated(self, event: Json, redeliveries: int) -> None:
        workspace = self.state.workspace_of(str(event["channel"]))
        payload = event_body(self.state, workspace, event)
        for _ in range(redeliveries + 1):
            self.deliver("events_api", payload)

    def _mention(self, message: Message, event: Json, redeliveries: int = 0) -> None:
        workspace = self.state.workspace_of(message.channel)
        if f"<@{workspace.bot_user}>" in message.text and self.state.channels[message.channel].kind != "im":
            kept = {key: value for key, value in event.items() if key not in {"subtype", "channel_type"}}
            self._repeated(kept | {"type": "app_mention"}, redeliveries)

    async def edit_message(self, message: Message, text: str) -> Message:
        """Change a person's message. The bot gets a hidden ``message_changed``."""
        before = self._now(message)
        after = await self.state.edit(before, text=text)
        self._changed(before, message_object(self.state, after))
        return after

    async def delete_message(self, message: Message) -> asyncio.Task[Json]:
        """Delete a message. The bot gets ``message_deleted``.

        If its thread has replies, Slack leaves a tombstone: the bot gets ``message_changed`` with a message of subtype
        ``tombstone`` instead.
        """
        before = self._now(message)
        previous = message_object(self.state, before)
        await self.state.remove(before)
        if previous.get("reply_count"):
            kept = {"thread_ts", "reply_count", "latest_reply", "ts"}
            tombstone = {key: value for key, value in previous.items() if key in kept}
            tombstone |= {"type": "message", "subtype": "tombstone", "text": "This message was deleted."}
            tombstone |= {"user": "USLACKBOT", "hidden": True}
            return self._changed(before, tombstone, previous)
        ts = self.state.ts()
        event = {"type": "message", "subtype": "message_deleted", "hidden": True, "channel": before.channel}
        event |= {"channel_type": self.state.channels[before.channel].type, "previous_message": previous}
        return self.event(event | {"ts": ts, "deleted_ts": before.ts, "event_ts": ts})

    async def delete_file(self, file: HostedFile) -> asyncio.Task[Json]:
        """Delete a file. Messages keep its tombstone, and the bot gets ``file_deleted``."""
        file.deleted = True
        await self.state.notify()
        event = {"type": "file_deleted", "file_id": file.id, "event_ts": self.state.ts()}
        return self.event(event, team=file.workspace.team)

    async def unshare_file(
        self, file: HostedFile, message: Message, *, names_channel: bool = True
    ) -> asyncio.Task[Json]:
        """Take a file out of a message, which stays. The bot gets ``file_unshared``.

        ``names_channel``: whether the event has the channel, which Slack's examples leave out.
        """
        before = self._now(message)
        await self.state.edit(before, files=tuple(one for one in before.files if one.id != file.id))
        here = [one for one in self.state.messages if one.channel == message.channel and file in one.files]
        if not here:
            file.channels.discard(message.channel)
        event: Json = {"type": "file_unshared", "file_id": file.id, "file": {"id": file.id}, "user_id": before.user}
        if names_channel:
            event["channel_id"] = message.channel
        return self.event(event | {"event_ts": self.state.ts()}, team=file.workspace.team)

    async def delete_channel(self, channel: str) -> asyncio.Task[Json]:
        """Delete a channel with its messages. The bot gets ``channel_deleted``; of a private one ``group_deleted``."""
        kind, workspace = self.state.channels[channel].kind, self.state.workspace_of(channel)
        for message in [one for one in self.state.messages if one.channel == channel]:
            await self.state.remove(message)
        del self.state.channels[channel]
        event = {"type": "group_deleted" if kind == "private" else "channel_deleted", "channel": channel}
        return self.event(event | {"event_ts": self.state.ts()}, team=workspace.team)

    def _now(self, message: Message) -> Message:
        found = self.state.find(message.channel, message.ts)
        assert found is not None, f"the message {message.ts} is gone"
        return found

    def _changed(self, before: Message, after: Json, previous: Json | None = None) -> asyncio.Task[Json]:
        ts = self.state.ts()
        event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": before.channel}
        event |= {"channel_type": self.state.channels[before.channel].type, "message": after}
        event["previous_message"] = previous or message_object(self.state, before)
        return self.event(event | {"ts": ts, "event_ts": ts})

    def command(
        self, text: str, *, channel: str = GENERAL, user: str = SOMEONE, name: str = "/vsearch"
    ) -> asyncio.Task[Json]:
        """Type a slash command. The task ends when it is acknowledged or has failed."""
        return self.deliver("slash_commands", command_body(self.state, channel, user, name, text))

    def open_home(self, user: str = SOMEONE, *, team: str = "", tab: str = "home") -> asyncio.Task[Json]:
        """Open the app's Home (or, with ``tab="messages"``, its messages)."""
        workspace = self.state.workspace(team)
        channel = self.state.direct(user, workspace)
        event = {"type": "app_home_opened", "user": user, "channel": channel.id, "tab": tab}
        return self.event(event | {"event_ts": self.state.ts()}, team=workspace.team)

    def uninstall(self, *, team: str = "") -> tuple[asyncio.Task[Json], asyncio.Task[Json]]:
        """Remove the app from a workspace: revoke its token, and send ``app_uninstalled`` and ``tokens_revoked``."""
        workspace = self.state.workspace(team)
        revoked = self.revoke_tokens(team=team)
        return self.event({"type": "app_uninstalled"}, team=workspace.team), revoked

    def revoke_tokens(self, *, team: str = "") -> asyncio.Task[Json]:
        """Revoke the bot's token in a workspace, and send ``tokens_revoked``."""
        workspace = self.state.workspace(team)
        for token in self.state.tokens.values():
            if workspace in token.workspaces:
                token.revoked = True
        tokens = {"oauth": [], "bot": [workspace.bot_user]}
        return self.event({"type": "tokens_revoked", "tokens": tokens}, team=workspace.team)
