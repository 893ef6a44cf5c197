"""Texts about channels: their mode, the rules of their guard, its reports, and the bot's status."""

from __future__ import annotations

from bot.blocks.wording.channels.modes import (
    CANNOT_POST_REASONS,
    DIRECT_MESSAGES_HAVE_NO_MODE,
    NO_DATABASE_FOR_GUEST,
    back_end_health,
    cannot_post,
    default_mode_text,
    direct_message_text,
    here,
    invitation,
    mode_text,
    turned_off,
    waiting,
)

__all__ = [
    "CANNOT_POST_REASONS",
    "DIRECT_MESSAGES_HAVE_NO_MODE",
    "NO_DATABASE_FOR_GUEST",
    "back_end_health",
    "cannot_post",
    "default_mode_text",
    "direct_message_text",
    "here",
    "invitation",
    "mode_text",
    "turned_off",
    "waiting",
]
