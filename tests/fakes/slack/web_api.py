"""The Web API's methods, with tokens checked and blocks judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.fakes.slack import block_kit
from tests.fakes.slack.state import Call, Json, Message, State

OPTIONAL_JSON = ("blocks", "attachments", "metadata", "view")


class Refused(Exception):
    """The call gets ``ok: false`` with this error."""


class WebApi:
    """``/api/{method}``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._methods: dict[str, Callable[[Json], Any]] = {
            "auth.test": self._auth_test,
            "apps.connections.open": self._connections_open,
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "files.info": self._files_info,
            "conversations.info": self._conversations_info,
            "users.info": self._users_info,
            "views.open": self._views_open,
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it listens."""
        return [web.route("*", "/api/{method}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        args = await merged_arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip() or args.pop("token", "")
        self._state.calls.append(Call(method, args, token))
        if self._state.planned[method]:
            status, body, headers = self._state.planned[method].popleft()
            return web.json_response(body, status=status, headers=headers)
        try:
            self._check_token(method, token)
            answer = await self._methods[method](args)
        except Refused as refusal:
            return web.json_response({"ok": False, "error": str(refusal)})
        return web.json_response({"ok": True, **answer})

    def _check_token(self, method: str, token: str) -> None:
        if method not in self._methods:
            self._state.fail(f"unknown method {method}")
            raise Refused("unknown_method")
        if not token:
            raise Refused("not_authed")
        wanted = self._state.app_token if method == "apps.connections.open" else self._state.bot_token
        if token != wanted:
            raise Refused("invalid_auth")

    async def _auth_test(self, args: Json) -> Json:
        state = self._state
        return {
            "url": state.base_url,
            "team": "Fake team",
            "user": "vsearch",
            "team_id": state.team,
            "user_id": state.bot_user,
            "bot_id": state.bot_id,
            "is_enterprise_install": False,
        }

    async def _connections_open(self, args: Json) -> Json:
        ticket = f"ticket-{self._state.number()}"
        self._state.tickets.add(ticket)
        return {"url": f"{self._state.base_url.replace('http', 'ws', 1)}link?ticket={ticket}"}

    async def _post_message(self, args: Json) -> Json:
        self._check_channel(args)
        self._check_message("chat.postMessage", args)
        thread = args.get("thread_ts", "")
        if thread and not any(m.ts == thread and m.channel == args["channel"] for m in self._state.messages):
            raise Refused("thread_not_found")
        message = Message(
            channel=args["channel"],
            ts=self._state.ts(),
            user=self._state.bot_user,
            text=args.get("text", ""),
            blocks=tuple(args.get("blocks") or ()),
            thread_ts=thread,
            via="chat.postMessage",
        )
        await self._state.post(message)
        shown = {"ts": message.ts, "text": message.text, "blocks": list(message.blocks), "user": message.user}
        return {"channel": message.channel, "ts": message.ts, "message": {"type": "message", **shown}}

    async def _post_ephemeral(self, args: Json) -> Json:
        self._check_channel(args)
        self._check_message("chat.postEphemeral", args)
        if not args.get("user"):
            raise Refused("user_not_in_channel")
        ts = self._state.ts()
        await self._state.post(
            Message(
                channel=args["channel"],
                ts=ts,
                user=self._state.bot_user,
                text=args.get("text", ""),
                blocks=tuple(args.get("blocks") or ()),
                thread_ts=args.get("thread_ts", ""),
                to=args["user"],
                via="chat.postEphemeral",
            )
        )
        return {"message_ts": ts}

    def _check_channel(self, args: Json) -> None:
        channel = self._state.channels.get(args.get("channel", ""))
        if channel is None:
            raise Refused("channel_not_found")
        if not channel.bot_is_member:
            raise Refused("not_in_channel")

    def _check_message(self, where: str, args: Json) -> None:
        if problem := message_problem(args):
            self._state.fail(f"{where}: {problem}")
            raise Refused(problem.split(":")[0])

    async def _files_info(self, args: Json) -> Json:
        file = self._state.files.get(args.get("file", ""))
        if file is None:
            raise Refused("file_not_found")
        if file.stub is not None and file.stubs > 0:
            file.stubs -= 1
            return {"file": file.stub}
        return {"file": file.info}

    async def _conversations_info(self, args: Json) -> Json:
        channel = self._state.channels.get(args.get("channel", ""))
        if channel is None:
            raise Refused("channel_not_found")
        about = {"id": channel.id, "name": channel.name, "is_private": channel.private}
        return {"channel": {**about, "is_member": channel.bot_is_member, "is_channel": True}}

    async def _users_info(self, args: Json) -> Json:
        return {"user": {"id": args.get("user", ""), "team_id": self._state.team, "name": "someone", "is_bot": False}}

    async def _views_open(self, args: Json) -> Json:
        if not args.get("trigger_id"):
            raise Refused("invalid_trigger_id")
        return {"view": {"id": f"V{self._state.number()}", "hash": "1"}}


async def merged_arguments(request: web.Request) -> Json:
    """Query, form and JSON together: the SDK sends some arguments of a POST in the query string."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name in OPTIONAL_JSON:
        if isinstance(args.get(name), str):
            args[name] = json.loads(args[name])
    return args


def message_problem(args: Json) -> str:
    """Why Slack would not take this message, beginning with its error code; empty if it would."""
    blocks = args.get("blocks")
    if not str(args.get("text") or "").strip():
        # Slack takes blocks alone; but then notifications and screen readers have nothing to say.
        return "no_text: a message needs top-level text"
    if blocks and (found := block_kit.problems(blocks)):
        return f"invalid_blocks: {'; '.join(found)}"
    if blocks and block_kit.too_long(blocks):
        return "msg_blocks_too_long"
    return ""
