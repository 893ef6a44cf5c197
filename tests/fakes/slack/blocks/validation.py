"""Whether Slack would accept a message or a view, with its blocks and their files."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.fakes.slack.blocks import block_kit
from tests.fakes.slack.blocks.block_kit import length
from tests.fakes.slack.state import State
from tests.fakes.slack.values import HostedFile, Json, Workspace

SHOWABLE = {"image/png", "image/jpeg", "image/gif"}
TEXT = 40_000
METADATA_BYTES = 16_000


def message_problem(args: Json) -> str:
    """Return why Slack would refuse this message, beginning with the error code; empty if it would not."""
    blocks, text = args.get("blocks"), args.get("text")
    if not str(text or "").strip():
        # Slack accepts blocks without text, but notifications and screen readers need it.
        return "no_text: a message needs top-level text"
    if length(str(text)) > TEXT:
        return "msg_too_long"
    if blocks and (found := block_kit.problems(blocks)):
        return f"invalid_blocks: {'; '.join(found)}"
    if blocks and block_kit.too_long(blocks):
        return "msg_blocks_too_long"
    return _metadata_problem(args.get("metadata"))


def _metadata_problem(metadata: object) -> str:
    if metadata is None:
        return ""
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_type"), str)
        or not isinstance(metadata.get("event_payload"), dict)
    ):
        return "invalid_metadata_format: event_type and event_payload are needed"
    return "metadata_too_large" if len(json.dumps(metadata).encode()) > METADATA_BYTES else ""


def refusal_of_message(state: State, workspace: Workspace, args: Json) -> str:
    """Like ``message_problem``, but also validate the files in the blocks."""
    if problem := message_problem(args):
        return problem
    found = list(file_problems(state, workspace, args.get("blocks") or []))
    return f"invalid_blocks: {'; '.join(found)}" if found else ""


def refusal_of_view(state: State, workspace: Workspace, view: object) -> str:
    """Return why Slack would refuse this view, beginning with the error code; empty if it would not."""
    found = block_kit.view_problems(view)
    if found and found[-1].startswith("view_too_large"):
        return found[-1]
    if not found and isinstance(view, dict):
        found = list(file_problems(state, workspace, view["blocks"]))
    return f"invalid_arguments: {'; '.join(found)}" if found else ""


def file_problems(state: State, workspace: Workspace, blocks: object) -> Iterator[str]:
    """Yield what is wrong with each ``slack_file`` of the blocks."""
    for shown in _slack_files(blocks):
        file = _file(state, shown)
        if file is None or file.deleted or file.workspace is not workspace:
            yield f"slack_file {shown} doesn't exist"
        elif not file.is_processed:
            yield f"slack_file {file.id} is still being processed"
        elif file.info.get("mimetype") not in SHOWABLE:
            yield f"slack_file {file.id} is neither PNG, JPEG nor GIF"
        elif not bot_may_show(state, file):
            yield f"slack_file {file.id} is not shared with the bot"


def bot_may_show(state: State, file: HostedFile) -> bool:
    """Return whether the bot may show a file: its own, one given to it, or one of a conversation that it is in."""
    if file.info.get("user") == file.workspace.bot_user or file.given_to_app:
        return True
    return any(state.channels[channel].bot_is_member for channel in file.channels)


def bot_may_see(state: State, file: HostedFile) -> bool:
    """Return whether files.info returns a file. Files that were never shared belong to a test, and are visible."""
    return not file.channels or bot_may_show(state, file)


def _slack_files(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        shown = value.get("slack_file")
        if isinstance(shown, dict):
            yield shown
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from _slack_files(child)


def _file(state: State, shown: Json) -> HostedFile | None:
    if "id" in shown:
        return state.files.get(shown["id"])
    addresses = ("url_private", "permalink")
    return next(
        (f for f in state.files.values() if any(f.info.get(name) == shown.get("url") for name in addresses)), None
    )
