"""``views.*``: modals by trigger, updates by hash, the Home tab."""

from __future__ import annotations

from tests.fakes.slack.blocks.validation import refusal_of_view
from tests.fakes.slack.payloads import view_object
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Json, Token, Trigger, View, Workspace
from tests.fakes.slack.web_api.arguments import Method, Refused, WebApiMethods

TRIGGER_SECONDS = 3
STACK = 3


class ViewMethods(WebApiMethods):
    """A trigger opens one modal within 3 seconds. At most three modals are stacked."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "views.open": self._open,
            "views.push": self._push,
            "views.update": self._update,
            "views.publish": self._publish,
        }

    async def _open(self, args: Json, token: Token) -> Json:
        self._validate("views.open", args, token.workspace, "modal")
        trigger = self._exchange(args, token)
        for open_view in self.state.stacks[trigger.user]:
            open_view.closed = True
        self.state.stacks[trigger.user].clear()
        return {"view": view_object(self.state, put_on_top(self.state, trigger, args["view"]))}

    async def _push(self, args: Json, token: Token) -> Json:
        self._validate("views.push", args, token.workspace, "modal")
        trigger = self._exchange(args, token)
        stack = self.state.stacks[trigger.user]
        if not stack:
            raise self.fault("not_found", "views.push without an open modal")
        if len(stack) >= STACK:
            raise self.fault("push_limit_reached", f"{STACK} modals are open")
        return {"view": view_object(self.state, put_on_top(self.state, trigger, args["view"]))}

    async def _update(self, args: Json, token: Token) -> Json:
        view = self.state.views.get(str(args.get("view_id") or ""))
        if view is None and args.get("external_id"):
            known = self.state.views.values()
            view = next((v for v in known if v.body.get("external_id") == args["external_id"]), None)
        if view is None or view.closed or view.workspace not in token.workspaces:
            raise Refused("not_found")
        self._validate("views.update", args, view.workspace, view.body["type"])
        if args.get("hash") and args["hash"] != view.hash:
            raise Refused("hash_conflict")
        change(self.state, view, args["view"])
        return {"view": view_object(self.state, view)}

    async def _publish(self, args: Json, token: Token) -> Json:
        self.require(args, "user_id")
        self._validate("views.publish", args, token.workspace, "home")
        user = args["user_id"]
        view = self.state.homes.get(user)
        if view is None:
            view = View(f"V{self.state.number()}", token.workspace, user, args["view"], f"h{self.state.number()}")
            self.state.homes[user] = self.state.views[view.id] = view
        elif args.get("hash") and args["hash"] != view.hash:
            raise Refused("hash_conflict")
        else:
            change(self.state, view, args["view"])
        return {"view": view_object(self.state, view)}

    def _validate(self, where: str, args: Json, workspace: Workspace, surface: str) -> None:
        if problem := refusal_of_view(self.state, workspace, args.get("view")):
            self.state.fail(f"{where}: {problem}")
            raise Refused(problem.split(":")[0])
        if args["view"]["type"] != surface:
            raise self.fault("invalid_arguments", f"{where} of a {args['view']['type']}")

    def _exchange(self, args: Json, token: Token) -> Trigger:
        trigger = self.state.triggers.get(str(args.get("trigger_id") or ""))
        if trigger is None or trigger.workspace not in token.workspaces:
            raise self.fault("invalid_trigger_id", "nobody was given it")
        if trigger.used:
            raise self.fault("exchanged_trigger_id", "a trigger opens one modal")
        if self.state.now() - trigger.made_at > TRIGGER_SECONDS:
            raise self.fault("expired_trigger_id", f"older than {TRIGGER_SECONDS} s")
        trigger.used = True
        return trigger


def put_on_top(state: State, trigger: Trigger, body: Json) -> View:
    """Put a new modal on top of a person's stack."""
    stack = state.stacks[trigger.user]
    view = View(
        f"V{state.number()}", trigger.workspace, trigger.user, body, f"h{state.number()}", channel=trigger.channel
    )
    view.root = stack[0].id if stack else view.id
    if stack:
        view.previous = stack[-1].id
        view.channel = view.channel or stack[-1].channel
    stack.append(view)
    state.views[view.id] = view
    return view


def change(state: State, view: View, body: Json) -> None:
    """Replace a view's body."""
    view.earlier.append(view.body)
    view.body, view.hash, view.errors = body, f"h{state.number()}", {}
