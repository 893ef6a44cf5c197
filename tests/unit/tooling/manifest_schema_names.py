"""Slack's names for scopes, and the scopes that each event and Web API method needs.

Slack's own schema accepts any text for a scope or an event. These facts are from docs.slack.dev/reference. A name that
is missing here either does not exist or was never looked up: look it up before you use it.
"""

from __future__ import annotations

NOTHING: frozenset[str] = frozenset()

BOT_SCOPES = frozenset(
    {
        *("app_mentions:read", "assistant:write", "bookmarks:read", "bookmarks:write", "calls:read", "calls:write"),
        *("canvases:read", "canvases:write", "channels:history", "channels:join", "channels:manage", "channels:read"),
        *("chat:write", "chat:write.customize", "chat:write.public", "commands", "conversations.connect:read"),
        *("dnd:read", "emoji:read", "files:read", "files:write", "groups:history", "groups:read", "groups:write"),
        *("im:history", "im:read", "im:write", "incoming-webhook", "links:read", "links:write", "lists:read"),
        *("lists:write", "metadata.message:read", "mpim:history", "mpim:read", "mpim:write", "pins:read"),
        *("pins:write", "reactions:read", "reactions:write", "reminders:read", "reminders:write"),
        *("remote_files:read", "remote_files:share", "remote_files:write", "team:read", "usergroups:read"),
        *("usergroups:write", "users.profile:read", "users:read", "users:read.email", "users:write"),
        "workflow.steps:execute",
    }
)
"""Scopes that a bot token can have."""

OF_EVERY_CONVERSATION = ("channels", "groups", "im", "mpim")
HISTORY = frozenset(f"{kind}:history" for kind in OF_EVERY_CONVERSATION)
READ = frozenset(f"{kind}:read" for kind in OF_EVERY_CONVERSATION)
"""Conversation methods need the scope for the conversation's kind. Images come from all four kinds."""

EVENT_SCOPES = {
    "app_home_opened": NOTHING,
    "app_mention": frozenset({"app_mentions:read"}),
    "app_uninstalled": NOTHING,
    "channel_archive": frozenset({"channels:read"}),
    "channel_deleted": frozenset({"channels:read"}),
    "channel_left": frozenset({"channels:read"}),
    "channel_rename": frozenset({"channels:read"}),
    "file_change": frozenset({"files:read"}),
    "file_created": frozenset({"files:read"}),
    "file_deleted": frozenset({"files:read"}),
    "file_public": frozenset({"files:read"}),
    "file_shared": frozenset({"files:read"}),
    "file_unshared": frozenset({"files:read"}),
    "group_deleted": frozenset({"groups:read"}),
    "link_shared": frozenset({"links:read"}),
    "member_joined_channel": frozenset({"channels:read", "groups:read"}),
    "member_left_channel": frozenset({"channels:read", "groups:read"}),
    "message.channels": frozenset({"channels:history"}),
    "message.groups": frozenset({"groups:history"}),
    "message.im": frozenset({"im:history"}),
    "message.mpim": frozenset({"mpim:history"}),
    "reaction_added": frozenset({"reactions:read"}),
    "reaction_removed": frozenset({"reactions:read"}),
    "team_access_granted": NOTHING,
    "team_access_revoked": NOTHING,
    "tokens_revoked": NOTHING,
}
"""Events that a bot can subscribe to and that concern this project, with their scopes."""

METHOD_SCOPES = {
    "apps_connections_open": NOTHING,  # needs connections:write of the app-level token, not of the bot token
    "apps_uninstall": NOTHING,
    "auth_revoke": NOTHING,
    "auth_teams_list": NOTHING,
    "auth_test": NOTHING,
    "assistant_threads_setStatus": frozenset({"chat:write"}),
    "chat_delete": frozenset({"chat:write"}),
    "chat_getPermalink": NOTHING,
    "chat_postEphemeral": frozenset({"chat:write"}),
    "chat_postMessage": frozenset({"chat:write"}),
    "chat_update": frozenset({"chat:write"}),
    "chat_unfurl": frozenset({"links:write"}),
    "conversations_history": HISTORY,
    "conversations_info": READ,
    "conversations_list": READ,
    "conversations_members": READ,
    "conversations_open": frozenset({"im:write", "mpim:write"}),
    "conversations_replies": HISTORY,
    "files_completeUploadExternal": frozenset({"files:write"}),
    "files_delete": frozenset({"files:write"}),
    "files_getUploadURLExternal": frozenset({"files:write"}),
    "files_info": frozenset({"files:read"}),
    "files_list": frozenset({"files:read"}),
    "files_upload_v2": frozenset({"files:write"}),
    "oauth_v2_access": NOTHING,
    "reactions_add": frozenset({"reactions:write"}),
    "reactions_get": frozenset({"reactions:read"}),
    "reactions_remove": frozenset({"reactions:write"}),
    "team_info": frozenset({"team:read"}),
    "usergroups_list": frozenset({"usergroups:read"}),
    "usergroups_users_list": frozenset({"usergroups:read"}),
    "users_conversations": READ,
    "users_info": frozenset({"users:read"}),
    "users_list": frozenset({"users:read"}),
    "views_open": NOTHING,
    "views_publish": NOTHING,
    "views_push": NOTHING,
    "views_update": NOTHING,
}
"""Scopes by the name of the client's method."""

ELEMENT_SCOPES = {"file_input": frozenset({"files:read"})}
"""Block Kit elements that need a scope."""
