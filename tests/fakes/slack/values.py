"""Data types of the stand-in: workspaces, people, conversations, messages, files, views and tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

ConversationKind = Literal["public", "private", "im", "mpim", "shared"]
Via = Literal["user", "chat.postMessage", "chat.postEphemeral", "response_url", "ack", "files.completeUploadExternal"]


@dataclass(slots=True, eq=False)
class Workspace:
    """A team with its bot. ``scopes``: None grants all."""

    team: str
    name: str
    bot_user: str
    bot_id: str
    bot_token: str = ""
    enterprise: str = ""
    org_install: bool = False
    scopes: frozenset[str] | None = None

    @property
    def domain(self) -> str:
        """Subdomain of its address."""
        return self.name.lower().removesuffix(" team").replace(" ", "-")


@dataclass(slots=True, eq=False)
class Token:
    """A token, and the workspaces that it is valid for (one, or those of an organisation)."""

    value: str
    workspaces: tuple[Workspace, ...]
    expires_at: float | None = None
    revoked: bool = False

    @property
    def workspace(self) -> Workspace:
        """The only workspace, or the first of the organisation."""
        return self.workspaces[0]


@dataclass(slots=True)
class Person:
    """A person in a workspace."""

    id: str
    name: str = "someone"
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_bot: bool = False
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Channel:
    """A conversation. The bot gets events and may post only if it is a member."""

    id: str
    name: str
    workspace: Workspace
    kind: ConversationKind = "public"
    private: bool = False
    bot_is_member: bool = True
    members: list[str] = field(default_factory=list)
    guests: tuple[Workspace, ...] = ()
    """Other workspaces that a Slack Connect channel is shared with."""
    creator: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether only members can see it."""
        return self.private or self.kind in {"private", "im", "mpim"}

    @property
    def type(self) -> str:
        """``channel_type`` in events."""
        if self.kind in {"im", "mpim"}:
            return self.kind
        return "group" if self.is_closed else "channel"

    @property
    def shown_name(self) -> str:
        """Name in payloads of commands and interactions, which hide the names of closed conversations."""
        return {"im": "directmessage", "group": "privategroup"}.get(self.type, self.name)


@dataclass(slots=True, eq=False)
class HostedFile:
    """A file in Slack. ``stubs``: how many more times files.info answers with ``stub``."""

    id: str
    name: str
    content: bytes
    info: Json
    workspace: Workspace
    stub: Json | None = None
    stubs: int = 0
    redirect_to: str = ""
    refuses_token: bool = False
    held: asyncio.Event | None = None
    """Downloads hang until it is set."""
    downloads: list[str] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    given_to_app: bool = False
    """Whether a person dropped it into the app's ``file_input``."""
    deleted: bool = False
    preview: bytes = b""
    """What ``/files-tmb/`` serves for a file of another kind than an image."""

    @property
    def is_processed(self) -> bool:
        """Whether Slack has processed it."""
        return self.stub is None or bool(self.stub.get("file_access")) or self.stubs == 0

    @property
    def shown(self) -> Json:
        """The file object in a message that is read again."""
        if self.deleted:
            return {"id": self.id, "mode": "tombstone", "name": "", "mimetype": "", "filetype": ""}
        if self.stub is not None and (self.stub.get("file_access") or self.stubs):
            return self.stub
        return self.info


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``to`` is the only reader of an ephemeral one."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread_ts: str = ""
    to: str = ""
    via: Via = "user"
    files: tuple[HostedFile, ...] = ()
    metadata: Json | None = None
    edited: bool = False
    forwarded: tuple[Message, ...] = ()
    attachments: tuple[Json, ...] = ()
    """Of links that Slack shows, or as an app sent them."""
    app: str = ""
    """Another app than the bot, if that wrote it."""

    @property
    def everything(self) -> str:
        """All text that the message shows, including blocks."""
        return "\n".join([self.text, *texts(list(self.blocks))])

    @property
    def reply_to(self) -> str:
        """Thread that it is in or would start."""
        return self.thread_ts or self.ts


@dataclass(slots=True, eq=False)
class View:
    """A modal or a Home tab. ``body`` is what the app sent; ``earlier`` has the former bodies."""

    id: str
    workspace: Workspace
    user: str
    body: Json
    hash: str
    channel: str = ""
    """Channel that the person saw when it was opened, for ``default_to_current_conversation``."""
    root: str = ""
    previous: str = ""
    closed: bool = False
    errors: Json = field(default_factory=dict)
    """Errors shown at its fields after the last submission."""
    earlier: list[Json] = field(default_factory=list)

    @property
    def callback_id(self) -> str:
        """Callback id of the form."""
        return str(self.body.get("callback_id", ""))

    @property
    def blocks(self) -> list[Json]:
        """Its blocks."""
        return list(self.body.get("blocks") or [])

    @property
    def everything(self) -> str:
        """All text that it shows."""
        return "\n".join(texts(self.body))


@dataclass(frozen=True, slots=True)
class Call:
    """A Web API call."""

    method: str
    args: Json
    token: str


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledged envelope or request."""

    envelope_id: str
    kind: str
    seconds: float
    payload: Json


@dataclass(slots=True)
class ResponseUrl:
    """A response URL: 5 posts within 30 minutes. ``original`` is the ts of its message."""

    channel: str
    user: str
    made_at: float
    posts: int = 0
    original: str = ""
    from_message: bool = False


@dataclass(slots=True)
class Trigger:
    """Opens one modal within 3 seconds. ``view``: the modal that it came from."""

    user: str
    workspace: Workspace
    made_at: float
    channel: str = ""
    view: str = ""
    used: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji on a message."""

    channel: str
    ts: str
    name: str
    user: str


@dataclass(slots=True)
class Upload:
    """An upload that was announced and is then sent."""

    id: str
    name: str
    length: int
    workspace: Workspace
    alt_text: str = ""
    content: bytes | None = None
    completed: bool = False


def texts(value: object) -> list[str]:
    """Yield every value under a key named ``text``, in order."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for child in value.values() for text in texts(child)]
    if isinstance(value, list):
        return [text for child in value for text in texts(child)]
    return []
