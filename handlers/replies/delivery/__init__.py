"""Sends replies: into a thread, to one person in a channel, in a direct message, or to a response URL."""

from __future__ import annotations

from handlers.replies.delivery.attempts import checked_posts
from handlers.replies.delivery.markers import find_marked, marked_messages
from handlers.replies.delivery.messages import (
    PostedMessage,
    post,
    post_editable,
    post_ephemeral,
    try_post_ephemeral,
    update,
)
from handlers.replies.delivery.response_urls import DeliveryUnknown, delete_original, respond

__all__ = [
    "DeliveryUnknown",
    "PostedMessage",
    "checked_posts",
    "delete_original",
    "find_marked",
    "marked_messages",
    "post",
    "post_editable",
    "post_ephemeral",
    "respond",
    "try_post_ephemeral",
    "update",
]
