"""Values of channels: their kind, their mode, the rules of their guard, and the audience of an answer."""

from __future__ import annotations

from bot.domain.channels.rules import (
    DEFAULT_RULES,
    NO_CHANGES,
    NO_RULES,
    FileKind,
    GuardRules,
    OwnReposts,
    Posting,
    RuleChanges,
    Treatment,
)
from bot.domain.channels.settings import (
    GUARD_MINIMUM,
    Audience,
    ChannelBinding,
    ChannelKind,
    ChannelMode,
    SettingsEditors,
    VisibleOrigins,
    scopes_of,
)

__all__ = [
    "DEFAULT_RULES",
    "GUARD_MINIMUM",
    "NO_CHANGES",
    "NO_RULES",
    "Audience",
    "ChannelBinding",
    "ChannelKind",
    "ChannelMode",
    "FileKind",
    "GuardRules",
    "OwnReposts",
    "Posting",
    "RuleChanges",
    "SettingsEditors",
    "Treatment",
    "VisibleOrigins",
    "scopes_of",
]
