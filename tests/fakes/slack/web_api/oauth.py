"""OAuth: a person approves an installation, and the app exchanges codes and refresh tokens for tokens."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.fakes.slack.state import State
from tests.fakes.slack.values import Json, Workspace
from tests.fakes.slack.web_api.arguments import Refused, WebApiMethods


@dataclass(slots=True)
class Grant:
    """What a code or a refresh token was given for."""

    workspace: Workspace
    user: str
    scopes: str
    redirect_uri: str = ""
    for_organisation: bool = False


class OAuthMethods(WebApiMethods):
    """``oauth.v2.access``. Codes and refresh tokens work once."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.client_id, self.client_secret = "1.2", "fake-client-secret"
        self.expires_in = 0
        """Lifetime of tokens in seconds. 0: no rotation."""
        self.codes: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}

    def approve(self, authorize_url: str, workspace: Workspace, user: str, *, for_organisation: bool = False) -> str:
        """Approve on the page of an authorize address. Return the address that the browser goes to next."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorize_url).query).items()}
        if asked.get("client_id") != self.client_id:
            self.state.fail(f"OAuth: client_id {asked.get('client_id')}")
        if not asked.get("state"):
            self.state.fail("OAuth: no state, so anybody could forge the redirect")
        if not asked.get("scope"):
            self.state.fail("OAuth: no scope is asked for")
        redirect = asked.get("redirect_uri", "")
        code = self.code(workspace, user, asked.get("scope", ""), redirect, for_organisation=for_organisation)
        return f"{redirect}?{urlencode({'code': code, 'state': asked.get('state', '')})}"

    def code(
        self,
        workspace: Workspace,
        user: str,
        scopes: str = "",
        redirect_uri: str = "",
        *,
        for_organisation: bool = False,
    ) -> str:
        """Return a code to exchange. Without ``scopes``, all are granted."""
        code = f"code-{self.state.number()}"
        self.codes[code] = Grant(workspace, user, scopes, redirect_uri, for_organisation)
        return code

    async def access(self, args: Json) -> Json:
        """Exchange a code or refresh token. Raises Refused."""
        if args.get("client_id") != self.client_id:
            raise self.fault("invalid_client_id", "oauth.v2.access")
        if args.get("client_secret") != self.client_secret:
            raise self.fault("bad_client_secret", "oauth.v2.access")
        if args.get("grant_type") == "refresh_token":
            grant = self.refresh_tokens.pop(str(args.get("refresh_token")), None)
            if grant is None:
                raise Refused("invalid_refresh_token")
            return self._issue(grant)
        grant = self.codes.pop(str(args.get("code")), None)
        if grant is None:
            raise Refused("invalid_code")
        if grant.redirect_uri and args.get("redirect_uri") != grant.redirect_uri:
            raise self.fault("bad_redirect_uri", str(args.get("redirect_uri")))
        return self._issue(grant)

    def _issue(self, grant: Grant) -> Json:
        workspace = grant.workspace
        members = [workspace]
        if grant.for_organisation:
            members = [w for w in self.state.workspaces if w.enterprise == workspace.enterprise]
            members.sort(key=lambda one: one is not workspace)
        for one in members:
            one.org_install = grant.for_organisation
            one.scopes = frozenset(grant.scopes.split(",")) if grant.scopes else None
        kind = "xoxe.xoxb" if self.expires_in else "xoxb"
        value = f"{kind}-{workspace.team}-{self.state.number()}"
        self.state.give_token(members[0], value, *members[1:], expires_in=self.expires_in)
        organisation = {"id": workspace.enterprise, "name": workspace.enterprise} if workspace.enterprise else None
        answer: Json = {
            "app_id": self.state.app_id,
            "authed_user": {"id": grant.user},
            "scope": grant.scopes,
            "token_type": "bot",
            "access_token": value,
            "bot_user_id": workspace.bot_user,
            "team": None if grant.for_organisation else {"id": workspace.team, "name": workspace.name},
            "enterprise": organisation,
            "is_enterprise_install": grant.for_organisation,
        }
        if self.expires_in:
            refresh = f"xoxe-1-{self.state.number()}"
            self.refresh_tokens[refresh] = grant
            answer |= {"refresh_token": refresh, "expires_in": self.expires_in}
        return answer
