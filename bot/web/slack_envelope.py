"""Checks the shape of a delivery, because Bolt fails on wrong types.

The checks cover only what Bolt reads, so that Slack can add or drop other fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

_WITH_IDS = ("user", "channel", "team", "enterprise")
"""Each must be an id, an object with an id, or null."""

_NESTED = ("event", "message", "previous_message", "item", "assistant_thread")

MAX_FIELDS = 100
"""Fields of a form. Slack's commands have about a dozen."""

_NAMES = ("type", "callback_id", "action_id", "command", "response_url")
"""Each must be text or null where Bolt selects listeners by it."""


def is_well_formed(body: bytes, content_type: str) -> bool:
    """Whether the body is JSON or a form with a JSON payload, and the fields that Bolt reads have valid types.

    A body counts as JSON by its content type or if it begins with ``{``.
    """
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip().lower() == "application/json" or text.startswith("{"):
            return not text or _has_valid_shape(json.loads(text))
        payload = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)).get("payload")
        return payload is None or _has_valid_shape(json.loads(payload))
    except (ValueError, RecursionError):
        return False


def _has_valid_shape(document: object) -> bool:
    if not isinstance(document, Mapping) or not isinstance(document.get("event", {}), Mapping):
        return False
    return (
        all(_is_identified(holder.get(name)) for holder in _objects_with_ids(document) for name in _WITH_IDS)
        and all(_is_named(holder) for holder in (document, document.get("event", {})))
        # Bolt fails on a second response URL, and our forms never ask for one.
        and _are_objects(document.get("response_urls", []))
        and len(document.get("response_urls", [])) <= 1
        and _is_valid_for_kind(document)
    )


def _objects_with_ids(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in which Bolt looks for ids: the delivery and the objects nested in it."""
    yield document
    for name in _NESTED:
        held = document.get(name)
        if isinstance(held, Mapping):
            yield from _objects_with_ids(held)
    authorizations = document.get("authorizations")
    if authorizations is None:
        return
    if not _are_objects(authorizations):
        raise ValueError("authorizations")
    for one in authorizations[:1]:
        yield from _objects_with_ids(one)


def _is_valid_for_kind(document: Mapping[str, Any]) -> bool:
    kind = document.get("type")
    if kind == "block_actions" and "actions" in document:
        actions = document["actions"]
        return _are_objects(actions) and bool(actions) and "action_id" in actions[0] and _is_named(actions[0])
    if kind in ("view_submission", "view_closed") and "view" in document:
        return isinstance(document["view"], Mapping) and "type" in document["view"] and _is_named(document["view"])
    return True


def _is_named(holder: Mapping[str, Any]) -> bool:
    return all(isinstance(holder.get(name), str | None) for name in _NAMES)


def _is_identified(value: object) -> bool:
    return value is None or isinstance(value, str | Mapping)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
