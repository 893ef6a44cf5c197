"""``users.*``, ``usergroups.*`` and ``auth.*``."""

from __future__ import annotations

from tests.fakes.slack.values import Json, Person, Token
from tests.fakes.slack.web_api.arguments import Method, Refused, WebApiMethods, paged


class PeopleMethods(WebApiMethods):
    """The bot's identity, and other people."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "auth.test": self._test,
            "auth.revoke": self._revoke,
            "users.info": self._info,
            "users.list": self._list,
            "usergroups.list": self._groups,
            "usergroups.users.list": self._group_members,
        }

    async def _test(self, args: Json, token: Token) -> Json:
        workspace = token.workspace
        answer: Json = {
            "url": self.state.base_url,
            "team": workspace.name,
            "user": "vsearch",
            "team_id": workspace.team,
            "user_id": workspace.bot_user,
            "bot_id": workspace.bot_id,
            "is_enterprise_install": workspace.org_install,
        }
        if workspace.enterprise:
            answer["enterprise_id"] = workspace.enterprise
        if workspace.org_install:
            answer |= {"team": workspace.enterprise, "team_id": workspace.enterprise}
        return answer

    async def _revoke(self, args: Json, token: Token) -> Json:
        token.revoked = str(args.get("test", "")).lower() not in {"true", "1"}
        return {"revoked": token.revoked}

    async def _info(self, args: Json, token: Token) -> Json:
        self.require(args, "user")
        person = self.state.person(args["user"])
        return {"user": _described(person, token)}

    async def _list(self, args: Json, token: Token) -> Json:
        self.require_team(args, token)
        people, rest = paged([*self.state.people.values()], args)
        rest.pop("has_more")
        return {"members": [_described(person, token) for person in people], **rest}

    async def _groups(self, args: Json, token: Token) -> Json:
        self.require_team(args, token)
        found = [
            {"id": group, "is_usergroup": True, "handle": handle, "name": handle.title(), "date_delete": 0}
            for group, (handle, _) in self.state.groups.items()
        ]
        return {"usergroups": found}

    async def _group_members(self, args: Json, token: Token) -> Json:
        self.require(args, "usergroup")
        self.require_team(args, token)
        if args["usergroup"] not in self.state.groups:
            raise Refused("no_such_subteam")
        return {"users": sorted(self.state.groups[args["usergroup"]][1])}


def _described(person: Person, token: Token) -> Json:
    """Return the user object of a person."""
    return {
        "id": person.id,
        "team_id": token.workspace.team,
        "name": person.name,
        "real_name": person.name.title(),
        "deleted": person.deleted,
        "is_admin": person.is_admin or person.is_owner,
        "is_owner": person.is_owner,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted or person.is_ultra_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "tz": "Europe/Berlin",
        "profile": {"real_name": person.name.title(), "display_name": person.name},
    }
