"""The file beside each exported picture: all origins of the image, with the workspace that Slack's ids belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import EntityId, Note, WorkspaceId

SUFFIX = ".origins.json"

MAX_BYTES = 4_000_000
"""Size of a file; a picture that was shared 10,000 times has fewer."""


def encode_origins(record: ImageRecord) -> str:
    """Return the content of an image's file."""
    origins = [_document(origin) for origin in record.origins]
    content: dict[str, object] = {"workspace": record.database.workspace, "origins": origins}
    if record.named_automatically:
        content["automatic_id"] = record.entity
    return json.dumps(content, ensure_ascii=False)


def decode_origins(text: bytes, workspace: WorkspaceId) -> tuple[tuple[Origin, ...], str]:
    """Return the origins of an exported image, and its id if that was made from a file name. Raises InvalidInput.

    There are no origins if they belong to another workspace. Deletions there don't reach this one, and nobody here can
    tell who may read its channels.
    """
    try:
        given = json.loads(text)
        origins = tuple(map(_origin, given["origins"])) if given["workspace"] == workspace else ()
        return origins, str(given.get("automatic_id", ""))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidInput(f"The picture's {SUFFIX} file is damaged. Delete it to import the picture as new.") from None


def read_exported(picture: Path, workspace: WorkspaceId) -> tuple[tuple[Origin, ...], str]:
    """Return what was exported with a picture, as ``decode_origins`` does; nothing if it has no such file.

    Raises InvalidInput and OSError.
    """
    beside = picture.with_suffix(SUFFIX)
    if not beside.is_file():
        return (), ""
    with beside.open("rb") as stream:
        content = stream.read(MAX_BYTES)
    return decode_origins(content, workspace)


def _document(origin: Origin) -> Mapping[str, object]:
    slack = origin.slack
    return {
        "source": origin.source,
        "added_at": origin.added_at.isoformat(),
        "author": origin.author,
        "note": origin.note,
        "file_name": origin.source_name,
        "entity": origin.entity,
        "named_automatically": origin.named_automatically,
        "posted": origin.posted,
        "slack": slack
        and {
            "file": slack.file_id,
            "channel": slack.channel,
            "message": slack.message_ts,
            "link": slack.permalink,
            "kind": slack.kind,
        },
    }


def _origin(given: Mapping[str, Any]) -> Origin:
    slack, added_at = given["slack"], datetime.fromisoformat(given["added_at"])
    if added_at.tzinfo is None:
        raise ValueError("a time without a zone")
    return Origin(
        OriginSource(given["source"]),
        added_at,
        str(given["author"]),
        Note(str(given["note"])),
        str(given["file_name"]),
        slack
        and SlackOrigin(
            str(slack["file"]),
            str(slack["channel"]),
            str(slack["message"]),
            str(slack["link"]),
            ChannelKind(slack["kind"]),
        ),
        EntityId(str(given["entity"])) if given.get("entity") else None,
        named_automatically=given.get("named_automatically") is True,
        posted=given.get("posted") is True,
    )
