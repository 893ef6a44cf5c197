"""Whether a body is a delivery that Bolt can take: it parses before it checks the signature, and trusts what it finds.

No more is asked than Bolt needs: what Slack may add or leave out one day is none of this module's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

_IDENTIFIED = ("user", "channel", "team", "enterprise")
"""An id, an object that has one, or null; of the delivery and of the event in it."""


def can_be_read(body: bytes, content_type: str) -> bool:
    """Whether the body is JSON or a form, as its type or its first sign says, and what Bolt looks at has its shape."""
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip().lower() == "application/json" or text.startswith("{"):
            return not text or _fits(json.loads(text))
        payload = dict(parse_qsl(text, keep_blank_values=True)).get("payload")
        return payload is None or _fits(json.loads(payload))
    except (ValueError, RecursionError):
        return False


def _fits(document: object) -> bool:
    if not isinstance(document, Mapping):
        return False
    event = document.get("event", {})
    return (
        isinstance(event, Mapping)
        and all(_is_identified(holder.get(name)) for holder in (document, event) for name in _IDENTIFIED)
        and _are_objects(document.get("authorizations") or [])
        and _are_objects(document.get("response_urls", []))
        and _suits_its_kind(document)
    )


def _suits_its_kind(document: Mapping[str, Any]) -> bool:
    kind = document.get("type")
    if kind == "block_actions" and "actions" in document:
        actions = document["actions"]
        return _are_objects(actions) and bool(actions) and "action_id" in actions[0]
    if kind in ("view_submission", "view_closed") and "view" in document:
        return isinstance(document["view"], Mapping) and "type" in document["view"]
    return True


def _is_identified(value: object) -> bool:
    return value is None or isinstance(value, str | Mapping)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
