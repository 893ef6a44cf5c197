"""``conversations.*``: info, members and history."""

from __future__ import annotations

from tests.fakes.slack.payloads import message_object
from tests.fakes.slack.values import Channel, Json, Message, Token
from tests.fakes.slack.web_api.arguments import PAGE, Method, Refused, WebApiMethods, is_true, paged


class ConversationMethods(WebApiMethods):
    """History needs membership. Closed conversations are invisible to non-members."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "conversations.info": self._info,
            "conversations.members": self._members,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.open": self._open,
            "users.conversations": self._of_user,
        }

    async def _info(self, args: Json, token: Token) -> Json:
        return {"channel": described(self.visible(args, token))}

    async def _members(self, args: Json, token: Token) -> Json:
        channel = self.visible(args, token)
        own = [channel.workspace.bot_user] if channel.bot_is_member else []
        members, rest = paged([*channel.members, *own], args)
        rest.pop("has_more")
        return {"members": members, **rest}

    async def _of_user(self, args: Json, token: Token) -> Json:
        self.require(args, "types")
        kinds = {"public_channel": "channel", "private_channel": "group", "mpim": "mpim", "im": "im"}
        wanted = {kinds[kind] for kind in str(args["types"]).split(",")}
        self.require_team(args, token)
        # Slack names the conversations that the bot shares with that person, or all of the bot's if none is named.
        found = [
            channel
            for channel in self.state.channels.values()
            if channel.type in wanted
            and (not args.get("user") or args["user"] in channel.members)
            and channel.bot_is_member
            and token.workspace in {channel.workspace, *channel.guests}
        ]
        page, rest = paged(found, args)
        rest.pop("has_more")
        return {"channels": [described(channel) for channel in page], **rest}

    async def _history(self, args: Json, token: Token) -> Json:
        channel = self.joined(args, token)
        # Replies are not part of the channel's history.
        first = [m for m in self._visible_messages(channel, args) if m.thread_ts in {"", m.ts}]
        # Pages begin with the newest message, unless only the beginning is given. Within a page, newest come first.
        forwards = bool(args.get("oldest")) and not args.get("latest")
        answer = self._page(first if forwards else list(reversed(first)), args)
        return answer | {"messages": list(reversed(answer["messages"])) if forwards else answer["messages"]}

    async def _replies(self, args: Json, token: Token) -> Json:
        self.require(args, "channel", "ts")
        channel = self.joined(args, token)
        thread = [m for m in self.state.messages if m.channel == channel.id and args["ts"] in {m.ts, m.thread_ts}]
        if not any(not m.to for m in thread):
            raise Refused("thread_not_found")
        within = self._visible_messages(channel, args)
        # The parent comes first on every page.
        parent = [m for m in thread if m.ts == args["ts"] and not m.to]
        return self._page(parent + [m for m in thread if m in within and m not in parent], args)

    async def _open(self, args: Json, token: Token) -> Json:
        self.require(args, "users")
        users = str(args["users"]).split(",")
        if len(users) != 1:
            raise self.fault("not_supported", "the stand-in opens conversations with one person")
        if self.state.person(users[0]).is_bot:
            raise Refused("cannot_dm_bot")
        return {"channel": {"id": self.state.direct(users[0], token.workspace).id}}

    def _visible_messages(self, channel: Channel, args: Json) -> list[Message]:
        """Return the visible messages within the requested bounds."""
        oldest, latest = str(args.get("oldest") or ""), str(args.get("latest") or "")
        inclusive = is_true(args.get("inclusive"))
        found = [m for m in self.state.messages if m.channel == channel.id and not m.to]
        if oldest:
            found = [m for m in found if m.ts > oldest or (inclusive and m.ts == oldest)]
        if latest:
            found = [m for m in found if m.ts < latest or (inclusive and m.ts == latest)]
        return found

    def _page(self, messages: list[Message], args: Json) -> Json:
        asked = int(args.get("limit") or PAGE)
        page, rest = paged(messages, args | {"limit": min(asked, self.state.history_page)})
        metadata = is_true(args.get("include_all_metadata"))
        return {"messages": [message_object(self.state, m, with_metadata=metadata) for m in page], **rest}


def described(channel: Channel) -> Json:
    """Return what conversations.info answers."""
    about: Json = {
        "id": channel.id,
        "is_channel": channel.type == "channel",
        "is_group": channel.type == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.is_closed,
        "is_archived": False,
        "is_shared": channel.kind == "shared",
        "is_ext_shared": channel.kind == "shared",
        "is_org_shared": False,
        "context_team_id": channel.workspace.team,
    }
    if channel.kind == "im":
        return about | {"user": channel.members[0] if channel.members else ""}
    return about | {"name": channel.name, "is_member": channel.bot_is_member, "creator": channel.creator}
