"""Buttons, menus, modals and shortcuts, as people use them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.fakes.slack.base import GENERAL, SOMEONE
from tests.fakes.slack.blocks.forms import fields, filled
from tests.fakes.slack.blocks.text import all_options
from tests.fakes.slack.blocks.validation import refusal_of_view
from tests.fakes.slack.delivery.deliveries import NO_ANSWER
from tests.fakes.slack.payloads import channel_object, interaction, message_object, view_object, with_identifiers
from tests.fakes.slack.people.forwards import ForwardActions
from tests.fakes.slack.values import HostedFile, Json, Message, View, Workspace
from tests.fakes.slack.web_api.views import change, put_on_top

INTERACTIVE = "interactive"
STACK = 3


class InteractionActions(ForwardActions):
    """Every method sends one payload. Its task ends with the content of the acknowledgement."""

    def press(
        self, message: Message, action_id: str, *, user: str = SOMEONE, value: str | None = None, about: str = ""
    ) -> asyncio.Task[Json]:
        """Press the message's first button (or choose in a menu) whose action_id begins with ``action_id``.

        ``about``: take only a button whose own value contains this text. ``value``: the option of a menu. For a button,
        take the one with this value; if there is none, send it instead of the button's own value, as from an older or
        forged message.
        """
        current = self._now(message)
        assert current.to in {"", user}, f"{user} doesn't see the message that {current.to} alone sees"
        block, element = _find(list(current.blocks), action_id, value, about)
        workspace = self.state.workspace_of(current.channel)
        container: Json = {"type": "message", "message_ts": current.ts, "channel_id": current.channel}
        container["is_ephemeral"] = bool(current.to)
        if current.thread_ts:
            container["thread_ts"] = current.thread_ts
        payload = interaction(self.state, "block_actions", workspace, user) | {
            "container": container,
            "trigger_id": self.state.new_trigger(user, workspace, channel=current.channel),
            "channel": channel_object(self.state, current.channel),
            "state": {"values": {}},
            "response_url": self.state.new_response_url(current.channel, user, current.ts, from_message=True),
            "actions": [self._action(block, element, value)],
        }
        if not current.to:
            # Slack does not send a copy of an ephemeral message.
            payload["message"] = message_object(self.state, current)
        return self.deliver(INTERACTIVE, payload)

    def press_in_view(
        self,
        view: View,
        action_id: str,
        *,
        user: str = "",
        value: str | None = None,
        about: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> asyncio.Task[Json]:
        """Press in a modal or a Home tab. ``values`` is what was filled in so far."""
        assert not view.closed, "the view is closed"
        who = user or view.user
        block, element = _find(view.blocks, action_id, value, about)
        state = filled(view, values or {}, self._host_for(view.workspace, who), complete=False)
        payload = interaction(self.state, "block_actions", view.workspace, who) | {
            "container": {"type": "view", "view_id": view.id},
            "trigger_id": self.state.new_trigger(who, view.workspace, channel=view.channel, view=view.id),
            "view": view_object(self.state, view, state),
            "state": {"values": state},
            "actions": [self._action(block, element, value)],
        }
        return self.deliver(INTERACTIVE, payload)

    def submit(self, view: View, values: Mapping[str, Any] | None = None, *, user: str = "") -> asyncio.Task[Json]:
        """Fill in a modal (see ``forms.filled``) and submit it. The app's response is applied to the modal."""
        assert not view.closed, "the view is closed"
        assert view.body.get("submit"), "the view has no submit button"
        who = user or view.user
        state = filled(view, values or {}, self._host_for(view.workspace, who))
        payload = interaction(self.state, "view_submission", view.workspace, who) | {
            "trigger_id": self.state.new_trigger(who, view.workspace, channel=view.channel, view=view.id),
            "view": view_object(self.state, view, state),
            "response_urls": self._response_urls(view, state, who),
        }
        return asyncio.create_task(self._submitted(view, payload))

    def close(self, view: View, *, user: str = "") -> asyncio.Task[Json]:
        """Close a modal. The app is notified if it asked for that."""
        view.closed = True
        stack = self.state.stacks[view.user]
        if view in stack:
            stack.remove(view)
        if not view.body.get("notify_on_close"):
            return asyncio.create_task(_nothing())
        payload = interaction(self.state, "view_closed", view.workspace, user or view.user)
        return self.deliver(INTERACTIVE, payload | {"view": view_object(self.state, view), "is_cleared": False})

    def shortcut_message(self, callback_id: str, message: Message, *, user: str = SOMEONE) -> asyncio.Task[Json]:
        """Choose a shortcut from a message's menu."""
        current = self._now(message)
        assert not current.to, "ephemeral messages have no shortcuts"
        workspace = self.state.workspace_of(current.channel)
        payload = interaction(self.state, "message_action", workspace, user) | {
            "callback_id": callback_id,
            "action_ts": self.state.ts(),
            "trigger_id": self.state.new_trigger(user, workspace, channel=current.channel),
            "channel": channel_object(self.state, current.channel),
            "message_ts": current.ts,
            "message": message_object(self.state, current),
            "response_url": self.state.new_response_url(current.channel, user),
        }
        return self.deliver(INTERACTIVE, payload)

    def shortcut_global(
        self, callback_id: str, *, user: str = SOMEONE, team: str = "", channel: str = GENERAL
    ) -> asyncio.Task[Json]:
        """Choose a shortcut from the search or the message box. ``channel`` is the one that the person sees."""
        workspace = self.state.workspace(team)
        payload = interaction(self.state, "shortcut", workspace, user) | {
            "callback_id": callback_id,
            "action_ts": self.state.ts(),
            "trigger_id": self.state.new_trigger(user, workspace, channel=channel),
        }
        return self.deliver(INTERACTIVE, payload)

    def _host_for(self, workspace: Workspace, user: str) -> Any:
        def host(content: bytes) -> HostedFile:
            return self.host(content, team=workspace.team, user=user, is_public=False)

        return host

    def _action(self, block: Json, element: Json, value: str | None) -> Json:
        action: Json = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        action["action_ts"] = self.state.ts()
        if element["type"] == "button":
            own = element.get("value") if value is None else value
            return action | {"text": element["text"]} | ({} if own is None else {"value": own})
        if element["type"] == "feedback_buttons":
            # ``value`` is the name of one of the two buttons.
            return action | {"value": element[value or "positive_button"]["value"]}
        if element["type"] == "conversations_select":
            return action | {"selected_conversation": value}
        if element["type"] == "plain_text_input":
            return action | {"value": value}
        option = next((o for o in all_options(element) if o["value"] == value), None)
        assert option is not None, f"{element['action_id']} has no option {value}"
        return action | (
            {"selected_options": [option]} if element["type"] == "checkboxes" else {"selected_option": option}
        )

    def _response_urls(self, view: View, state: Json, user: str) -> list[Json]:
        urls = []
        for block, element in fields(view):
            if not element.get("response_url_enabled"):
                continue
            entry = state[block["block_id"]][element["action_id"]]
            chosen = entry.get("selected_conversation") or entry.get("selected_channel")
            if chosen:
                url = self.state.new_response_url(chosen, user)
                location = {"block_id": block["block_id"], "action_id": element["action_id"]}
                urls.append(location | {"channel_id": chosen, "response_url": url})
        return urls

    async def _submitted(self, view: View, payload: Json) -> Json:
        answer = await self.deliver(INTERACTIVE, payload)
        if answer is not NO_ANSWER:
            self._apply_response(view, answer)
        await self.state.notify()
        return answer

    def _apply_response(self, view: View, answer: Json) -> None:
        stack = self.state.stacks[view.user]
        match answer.get("response_action", ""):
            case "":
                self._pop(view)
            case "clear":
                for one in list(stack):
                    self._pop(one)
            case "errors":
                self._errors(view, answer.get("errors"))
            case "update" | "push" as what:
                self._shown(view, what, answer.get("view"))
            case other:
                self.state.fail(f"view_submission: unknown response_action {other!r}")

    def _pop(self, view: View) -> None:
        view.closed = True
        if view in self.state.stacks[view.user]:
            self.state.stacks[view.user].remove(view)

    def _errors(self, view: View, errors: Any) -> None:
        inputs = {b.get("block_id") for b in view.blocks if b["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not all(isinstance(e, str) and e for e in errors.values()):
            self.state.fail(f"view_submission: errors is not a mapping of block ids to sentences: {errors!r}")
        elif unknown := set(errors) - inputs:
            self.state.fail(f"view_submission: errors at {sorted(unknown)}, which are no input blocks")
        else:
            view.errors = errors

    def _shown(self, view: View, what: str, body: Any) -> None:
        if problem := refusal_of_view(self.state, view.workspace, body):
            self.state.fail(f"view_submission {what}: {problem}")
        elif what == "update":
            change(self.state, view, body)
        elif len(self.state.stacks[view.user]) >= STACK:
            self.state.fail(f"view_submission: push_limit_reached, {STACK} modals are open")
        else:
            trigger = self.state.triggers[self.state.new_trigger(view.user, view.workspace, channel=view.channel)]
            put_on_top(self.state, trigger, body)


async def _nothing() -> Json:
    return {}


def _find(blocks: list[Json], action_id: str, value: str | None, about: str) -> tuple[Json, Json]:
    """Return the block and the element. Raises AssertionError if there is none."""
    candidates, known = [], []
    for block in with_identifiers(blocks):
        listed = block["elements"] if block["type"] in {"actions", "context_actions"} else []
        for element in [*listed, block.get("accessory"), block.get("element")]:
            if not isinstance(element, dict) or "action_id" not in element:
                continue
            known.append(element["action_id"])
            if element["action_id"].startswith(action_id) and about in str(element.get("value", "")):
                candidates.append((block, element))
    assert candidates, f"no {action_id} {about} among {known}"
    return next((found for found in candidates if value is not None and found[1].get("value") == value), candidates[0])
