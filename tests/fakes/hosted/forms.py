"""Validation of requests: the fields of the OpenAPI file, and the formats that its descriptions give."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from tests.fakes.hosted.values import PATHS, Call, GatewayRefused, Operation, UpstreamRefused, illegal

OPENAPI = Path(__file__).parents[2] / "contract" / "hosted" / "visual-search.openapi.json"
FORM = "application/x-www-form-urlencoded"

DATABASE = re.compile(r"[a-z0-9_]{2,64}")
ENTITY = re.compile(r"[a-z0-9_]{1,64}")
EXTRA_AT_MOST = 512
EXTRA_TAKES = frozenset("LMNPZ")
"""Unicode categories allowed in extra data: letters, marks, numbers, punctuation and separators, but no symbols."""


@cache
def fields(operation: Operation) -> tuple[frozenset[str], frozenset[str]]:
    """Return the operation's required and optional fields."""
    path = next(path for path, name in PATHS.items() if name == operation)
    described = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"][path]["post"]
    schema = described["requestBody"]["content"][FORM]["schema"]
    required = frozenset(schema["required"])
    return required, frozenset(schema["properties"]) - required


def pairs(body: bytes) -> list[tuple[str, str]]:
    """Return a form's fields. Raises ValueError if the body is not a form."""
    text = body.decode("ascii")
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []


def check(operation: Operation, call: Call, app_key: str, ds_id: str) -> None:
    """Validate a request. Raises Refused if the gateway or the service would refuse it."""
    if "appKey" not in call.query:
        raise GatewayRefused(-1002, "appid missing")
    if call.query["appKey"] != app_key:
        raise GatewayRefused(-1010, "unknown app")
    if call.content_type.partition(";")[0].strip().lower() != FORM:
        raise GatewayRefused(-1, f"the body must be {FORM}")
    try:
        names = [name for name, _ in pairs(call.body)]
    except ValueError:
        raise GatewayRefused(-1, "the body can't be parsed") from None
    required, optional = fields(operation)
    if wrong := required - set(names) or set(names) - required - optional or _doubles(names):
        raise GatewayRefused(-1, f"validation error: {', '.join(sorted(wrong))}")
    if call.form["ds_id"] != ds_id:
        raise GatewayRefused(-1006, "no permission")
    _check_values(call.form, optional)


def number(form: dict[str, str], name: str, least: int, most: int) -> int | None:
    """Return a numeric field, or None if it is missing. Raises UpstreamRefused."""
    if name not in form:
        return None
    text = form[name]
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise illegal(f"{name} must be from {least} to {most}.")
    return int(text)


def _doubles(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _check_values(form: dict[str, str], optional: frozenset[str]) -> None:
    for name in optional & set(form):
        if not form[name]:
            raise illegal(f"{name} is empty.")
    for name in ("Name", "DbName"):
        if name in form and not DATABASE.fullmatch(form[name]):
            raise illegal(f"{name} must have 2 to 64 of a-z, 0-9, _.")
    for name in ("EntityId", "EntityIdPrefix"):
        if name in form and not ENTITY.fullmatch(form[name]):
            raise illegal(f"{name} must have 1 to 64 of a-z, 0-9, _.")
    if form.get("Order", "asc") not in {"asc", "desc"}:
        raise illegal("Order must be asc or desc.")
    extra = form.get("ExtraData", "")
    if len(extra) > EXTRA_AT_MOST or any(unicodedata.category(letter)[0] not in EXTRA_TAKES for letter in extra):
        raise illegal(f"ExtraData must have at most {EXTRA_AT_MOST} letters, digits and punctuation marks.")
    if not form.get("ImageUrl", "-"):
        raise UpstreamRefused("IllegalUrlParameter", "The ImageUrl is illegal.")
