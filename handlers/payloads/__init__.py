"""Slack's payloads to typed requests. Pure, and tolerant: what does not fit is None, never an error."""

from __future__ import annotations

from handlers.payloads.events import (
    HomeOpened,
    ImageShare,
    Mention,
    parse_home,
    parse_mention,
    parse_share,
)
from handlers.payloads.files import RENDITIONS, FileState, SharedFile, parse_file
from handlers.payloads.kept import (
    decode_deletion,
    decode_request,
    decode_share,
    decode_uninstall,
    encode_deletion,
    encode_request,
    encode_share,
    encode_uninstall,
)
from handlers.payloads.requests import CommandRequest, parse_command
from handlers.payloads.withdrawals import SlackDeletion, Uninstall, parse_deletion, parse_uninstall

__all__ = [
    "RENDITIONS",
    "CommandRequest",
    "FileState",
    "HomeOpened",
    "ImageShare",
    "Mention",
    "SharedFile",
    "SlackDeletion",
    "Uninstall",
    "decode_deletion",
    "decode_request",
    "decode_share",
    "decode_uninstall",
    "encode_deletion",
    "encode_request",
    "encode_share",
    "encode_uninstall",
    "parse_command",
    "parse_deletion",
    "parse_file",
    "parse_home",
    "parse_mention",
    "parse_share",
    "parse_uninstall",
]
