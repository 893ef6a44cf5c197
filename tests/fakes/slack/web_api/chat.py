"""``chat.*``, ``reactions.*`` and ``assistant.threads.setStatus``."""

from __future__ import annotations

import json

from tests.fakes.slack.blocks.validation import refusal_of_message
from tests.fakes.slack.payloads import message_object
from tests.fakes.slack.values import Json, Message, Reaction, Token, Workspace
from tests.fakes.slack.web_api.arguments import Method, Refused, WebApiMethods


class ChatMethods(WebApiMethods):
    """Post, update, delete and react."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.getPermalink": self._permalink,
            "chat.unfurl": self._unfurl,
            "assistant.threads.setStatus": self._set_status,
            "reactions.add": self._react,
            "reactions.remove": self._unreact,
        }

    async def _post(self, args: Json, token: Token) -> Json:
        channel = self.joined(args, token)
        self._validate("chat.postMessage", args, channel.workspace)
        thread = str(args.get("thread_ts") or "")
        if thread and not any(m.ts == thread and m.channel == channel.id for m in self.state.messages):
            raise Refused("thread_not_found")
        message = await self.state.post(
            Message(
                channel=channel.id,
                ts=self.state.ts(),
                user=token.workspace.bot_user,
                text=args.get("text", ""),
                blocks=tuple(args.get("blocks") or ()),
                thread_ts=thread,
                via="chat.postMessage",
                metadata=args.get("metadata"),
            )
        )
        # The app's message in a thread clears its status there.
        self.state.statuses.pop((channel.id, thread), None)
        return {"channel": channel.id, "ts": message.ts, "message": message_object(self.state, message)}

    async def _post_ephemeral(self, args: Json, token: Token) -> Json:
        channel = self.joined(args, token)
        self._validate("chat.postEphemeral", args, channel.workspace)
        if not args.get("user"):
            raise Refused("user_not_in_channel")
        if channel.is_closed and args["user"] not in channel.members:
            raise Refused("user_not_in_channel")
        ts = self.state.ts()
        await self.state.post(
            Message(
                channel=channel.id,
                ts=ts,
                user=token.workspace.bot_user,
                text=args.get("text", ""),
                blocks=tuple(args.get("blocks") or ()),
                thread_ts=str(args.get("thread_ts") or ""),
                to=args["user"],
                via="chat.postEphemeral",
            )
        )
        return {"message_ts": ts}

    async def _update(self, args: Json, token: Token) -> Json:
        channel = self.joined(args, token)
        message = self._own("cant_update_message", channel.id, args, token)
        # Arguments that are left out stay unchanged. An empty list removes the blocks.
        blocks = list(message.blocks) if args.get("blocks") is None else args["blocks"]
        whole = {"text": args.get("text") or message.text, "blocks": blocks}
        self._validate("chat.update", whole, channel.workspace)
        changes: Json = {"text": whole["text"], "blocks": tuple(blocks)}
        if "metadata" in args:
            changes["metadata"] = args["metadata"]
        after = await self.state.edit(message, **changes)
        shown = message_object(self.state, after)
        return {"channel": channel.id, "ts": after.ts, "text": after.text, "message": shown}

    async def _delete(self, args: Json, token: Token) -> Json:
        channel = self.joined(args, token)
        message = self._own("cant_delete_message", channel.id, args, token)
        await self.state.remove(message)
        return {"channel": channel.id, "ts": message.ts}

    async def _set_status(self, args: Json, token: Token) -> Json:
        self.require(args, "channel_id", "thread_ts")
        if "status" not in args:
            raise self.fault("invalid_arguments", "missing status")
        channel = self.visible({"channel": args["channel_id"]}, token)
        if not channel.bot_is_member:
            raise Refused("not_in_channel")
        thread = (channel.id, str(args["thread_ts"]))
        if not any((m.channel, m.ts) == thread for m in self.state.messages):
            raise Refused("thread_not_found")
        self.state.statuses.pop(thread, None)
        if args["status"]:
            self.state.statuses[thread] = str(args["status"])
        return {}

    async def _permalink(self, args: Json, token: Token) -> Json:
        channel = self.visible(args, token)
        message = self.message(channel, args.get("message_ts"))
        address = f"https://{channel.workspace.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
        if message.thread_ts and message.thread_ts != message.ts:
            address += f"?thread_ts={message.thread_ts}&cid={channel.id}"
        return {"channel": channel.id, "permalink": address}

    async def _unfurl(self, args: Json, token: Token) -> Json:
        self.require(args, "channel", "ts", "unfurls")
        channel = self.visible(args, token)
        message = self.message(channel, args["ts"])
        given = args["unfurls"]
        unfurls = json.loads(given) if isinstance(given, str) else given
        for url, unfurl in unfurls.items():
            if url not in message.text:
                raise self.fault("cannot_unfurl_url", f"{url} is not in the message")
            self._validate("chat.unfurl", {"text": "a preview", "blocks": unfurl["blocks"]}, channel.workspace)
        shown = tuple({"from_url": url, **unfurl, "is_app_unfurl": True} for url, unfurl in unfurls.items())
        await self.state.edit(message, attachments=shown, edited=False)
        return {}

    async def _react(self, args: Json, token: Token) -> Json:
        reaction = self._reaction(args, token)
        if reaction in self.state.reactions:
            raise Refused("already_reacted")
        self.state.reactions.append(reaction)
        return {}

    async def _unreact(self, args: Json, token: Token) -> Json:
        reaction = self._reaction(args, token)
        if reaction not in self.state.reactions:
            raise Refused("no_reaction")
        self.state.reactions.remove(reaction)
        return {}

    def _reaction(self, args: Json, token: Token) -> Reaction:
        self.require(args, "channel", "timestamp", "name")
        if ":" in str(args["name"]):
            raise self.fault("invalid_name", f"the emoji {args['name']}")
        channel = self.joined(args, token)
        message = self.message(channel, args["timestamp"])
        return Reaction(channel.id, message.ts, args["name"], token.workspace.bot_user)

    def _own(self, error: str, channel: str, args: Json, token: Token) -> Message:
        message = self.message(self.state.channels[channel], args.get("ts"))
        if message.user != token.workspace.bot_user:
            raise self.fault(error, f"{message.ts} is not the bot's own")
        return message

    def _validate(self, where: str, args: Json, workspace: Workspace) -> None:
        if problem := refusal_of_message(self.state, workspace, args):
            self.state.fail(f"{where}: {problem}")
            raise Refused(problem.split(":")[0])
