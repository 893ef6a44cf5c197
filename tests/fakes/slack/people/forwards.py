"""Forwarded messages, links that Slack shows, other apps' messages, and files with a preview."""

from __future__ import annotations

import asyncio
import io

from PIL import Image

from tests.fakes.slack.base import GENERAL, SOMEONE
from tests.fakes.slack.payloads import attachments_of, event_body, message_object
from tests.fakes.slack.people.messages import ConversationActions
from tests.fakes.slack.values import HostedFile, Json, Message

OTHER_APP = "A0OTHER"


class ForwardActions(ConversationActions):
    """Forward, show a link, post as another app."""

    async def forward(
        self,
        *messages: Message,
        channel: str = GENERAL,
        user: str = SOMEONE,
        text: str = "",
        thread_ts: str = "",
        mention: bool = False,
        redeliveries: int = 0,
    ) -> Message:
        """Forward messages. The bot gets a ``message`` without subtype, and an ``app_mention`` if it is mentioned."""
        if mention:
            text = f"<@{self.state.workspace_of(channel).bot_user}> {text}".strip()
        message = Message(channel, self.state.ts(), user, text, thread_ts=thread_ts, forwarded=messages)
        return await self._posted(message, redeliveries)

    async def post_as_app(
        self,
        text: str = "",
        *blocks: Json,
        attachments: tuple[Json, ...] = (),
        channel: str = GENERAL,
        files: tuple[HostedFile, ...] = (),
    ) -> Message:
        """Post a message as another app."""
        for file in files:
            file.channels.add(channel)
        message = Message(
            channel,
            self.state.ts(),
            "U0OTHERAPP",
            text,
            blocks,
            files=files,
            app=OTHER_APP,
            attachments=attachments,
        )
        return await self._posted(message, 0)

    async def say_with_link(
        self, text: str, *attachments: Json, channel: str = GENERAL, user: str = SOMEONE
    ) -> Message:
        """Write a message whose links Slack shows at once, because it knows them."""
        return await self._posted(Message(channel, self.state.ts(), user, text, attachments=attachments), 0)

    async def unfurl(self, message: Message, *attachments: Json) -> Message:
        """Show links of a message, some time after it. The bot gets a hidden ``message_changed``."""
        before = self._now(message)
        after = await self.state.edit(before, attachments=attachments, edited=False)
        self._changed(before, message_object(self.state, after))
        return after

    async def take_out_forwards(self, message: Message) -> asyncio.Task[Json]:
        """Take the forwarded messages out of a message. The bot gets a hidden ``message_changed``."""
        before = self._now(message)
        previous = message_object(self.state, before)
        after = await self.state.edit(before, forwarded=())
        return self._changed(before, message_object(self.state, after), previous)

    def host_with_preview(
        self, content: bytes, name: str, preview: bytes, kind: str = "thumb_pdf", **changes: object
    ) -> HostedFile:
        """Store a file of a kind of which Slack makes a preview, which is an image."""
        file = self.host(content, name, **changes)  # type: ignore[arg-type]
        file.preview = preview
        with Image.open(io.BytesIO(preview)) as image:
            width, height = image.size
        address = f"{self.state.base_url}files-tmb/{file.workspace.team}-{file.id}/{kind}.png"
        file.info |= {kind: address, f"{kind}_w": width, f"{kind}_h": height}
        return file

    async def _posted(self, message: Message, redeliveries: int) -> Message:
        await self.state.post(message)
        if not self.state.channels[message.channel].bot_is_member:
            return message
        event = message_object(self.state, message)
        event |= {"channel": message.channel, "channel_type": self.state.channels[message.channel].type}
        event["event_ts"] = message.ts
        if attachments := attachments_of(self.state, message):
            event["attachments"] = attachments
        payload = event_body(self.state, self.state.workspace_of(message.channel), event)
        for _ in range(redeliveries + 1):
            self.deliver("events_api", payload)
        self._mention(message, event, redeliveries)
        return message


def unfurled_image(url: str) -> Json:
    """Return the attachment of a link to an image."""
    size = {"image_width": 640, "image_height": 480, "image_bytes": 1000}
    return {"from_url": url, "original_url": url, "image_url": url, "fallback": "640x480px image"} | size


def unfurled_page(url: str, image_url: str, *, small: bool = False) -> Json:
    """Return the attachment of a link to a web page with a picture."""
    about = {"title": "A page", "title_link": url, "text": "About it", "fallback": "A page", "service_name": "Site"}
    icon = {"service_icon": "https://example.com/favicon.ico"}
    return about | icon | {"from_url": url, "original_url": url, ("thumb_url" if small else "image_url"): image_url}
