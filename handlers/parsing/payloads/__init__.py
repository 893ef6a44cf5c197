"""Parse Slack's payloads into typed requests. A payload of an unexpected form gives None, never an error."""

from __future__ import annotations

from handlers.parsing.payloads.commands import CommandRequest, parse_command
from handlers.parsing.payloads.deletions import SlackDeletion, Uninstall, parse_deletion, parse_uninstall
from handlers.parsing.payloads.events import HomeOpened, ImageShare, Mention, parse_home, parse_mention, parse_share
from handlers.parsing.payloads.files import FileShares, FileState, SharedFile, parse_file, parse_shares
from handlers.parsing.payloads.pictures import pictures_of, shows_file, unfurled
from handlers.parsing.payloads.stored import (
    UnreadablePayload,
    decode_deletion,
    decode_request,
    decode_share,
    decode_uninstall,
    encode_deletion,
    encode_request,
    encode_share,
    encode_uninstall,
)
from handlers.parsing.payloads.tables import TableShare, parse_table_share

__all__ = [
    "CommandRequest",
    "FileShares",
    "FileState",
    "HomeOpened",
    "ImageShare",
    "Mention",
    "SharedFile",
    "SlackDeletion",
    "TableShare",
    "Uninstall",
    "UnreadablePayload",
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
    "parse_shares",
    "parse_table_share",
    "parse_uninstall",
    "pictures_of",
    "shows_file",
    "unfurled",
]
