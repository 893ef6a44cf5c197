"""Parses the service's responses. Pure functions: any bytes give a value, a FailedResponse or UnexpectedResponse."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from bot.adapters.showapi.http import error_codes
from bot.adapters.showapi.http.error_codes import ErrorMapping
from bot.adapters.showapi.http.values import HostedMatch, HostedPage, HostedRow

Json = Mapping[str, Any]

MAX_CHARGED = 1000
"""Greatest plausible charge of one call. Greater values are capped."""

MAX_SCANNED = 2000
"""Characters that are searched for error names."""

TOP_SCORE = 10.0
_ROUNDING = 0.01

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_MILLISECONDS = 1000
_HTTP_ERRORS = range(400, 600)


class UnexpectedResponse(Exception):
    """A successful response lacks expected content. The message says what is missing and quotes nothing."""


@dataclass(frozen=True, slots=True)
class SuccessResponse:
    """A response whose two codes report success. ``charged`` is the number of calls that it costs the account."""

    body: Json
    charged: int = 0


@dataclass(frozen=True, slots=True)
class FailedResponse:
    """Any other response. ``code`` and ``text`` are the service's own, so redact them before they are shown."""

    mapping: ErrorMapping
    code: str = ""
    text: str = ""
    status: int = HTTPStatus.OK
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """A page of a listing. ``row_count`` includes unreadable rows, because offsets count them too."""

    page: HostedPage
    row_count: int
    is_counted: bool = True
    """Whether the service gave a total. If not, ``page.total`` is the number of rows in this page."""


def parse_response(status: int, content: bytes) -> SuccessResponse | FailedResponse:
    """Return the successful response, or the failure with its mapping."""
    outer = _json(content)
    if outer is None:
        text = "the response is not a JSON object" if content.strip() else "the response is empty"
        return FailedResponse(
            error_codes.UNREADABLE if _is_success(status) else error_codes.map_status(status), "", text, status
        )
    body = _mapping(outer.get("showapi_res_body"))
    texts = _all_texts(outer, body)
    mapping = _error_mapping(status, outer, body, texts[:MAX_SCANNED])
    if mapping is None:
        return SuccessResponse(body, _charged(outer, body))
    ids = (body.get("RequestId"), outer.get("RequestId"), outer.get("showapi_res_id"))
    request_ids = tuple(text for part in ids if (text := _text(part)))
    return FailedResponse(mapping, _code(outer, body, texts[:MAX_SCANNED]), texts, status, request_ids)


def parse_database_names(body: Json) -> tuple[str, ...]:
    """Return the names in a list of databases. Raises UnexpectedResponse."""
    names = (_text(_mapping(item).get("Name")) for item in _list(_data(body), "DbList"))
    return tuple(name for name in names if name)


def parse_data_id(body: Json) -> str:
    """Return the service's id of an added image. Raises UnexpectedResponse."""
    name = _text(_data(body).get("DataId"))
    if not name:
        raise UnexpectedResponse("DataId is missing")
    return name


def parse_rows(body: Json) -> ParsedPage:
    """Return a page of a listing, without rows that lack an entity. Raises UnexpectedResponse."""
    data = _data(body)
    total = _integer(data.get("TotalCount"))
    given = [] if total == 0 and data.get("ImageList") is None else _list(data, "ImageList")
    read_rows = tuple(row for item in given if (row := _row(_mapping(item))).entity)
    page = HostedPage(read_rows, len(given) if total is None else total, _text(data.get("Token")))
    return ParsedPage(page, len(given), total is not None)


def parse_matches(body: Json) -> tuple[tuple[HostedMatch, ...], int]:
    """Return the matches in the service's order, and how many are unreadable. Raises UnexpectedResponse."""
    given = _list(_data(body), "MatchList")
    found = tuple(match for item in given if (match := _match(_mapping(item))) is not None)
    if given and not found:
        raise UnexpectedResponse(f"all {len(given)} matches are unreadable")
    return found, len(given) - len(found)


def _error_mapping(status: int, outer: Json, body: Json, texts: str) -> ErrorMapping | None:
    """Return the mapping of a response's codes, or None for success."""
    gateway, result = _integer(outer.get("showapi_res_code")), _integer(body.get("ret_code"))
    if gateway:
        return error_codes.map_gateway_code(gateway, texts)
    succeeded = gateway == 0 and result == 0
    # With two success codes, texts are ignored. But a ``Code`` is an error that the search behind the gateway returned.
    if (not succeeded or _text(body.get("Code"))) and (named := error_codes.map_error_text(texts)):
        return named
    if not _is_success(status):
        return error_codes.map_status(status)
    if succeeded:
        return None
    if result is not None and result in _HTTP_ERRORS:
        return error_codes.map_status(result)
    has_codes = gateway == 0 and _text(body.get("ret_code"))
    return error_codes.UNSPECIFIED if has_codes else error_codes.UNREADABLE


def _code(outer: Json, body: Json, texts: str) -> str:
    """Return the most specific error code, for the log."""
    if named := error_codes.find_error_name(texts) or _text(body.get("Code")) or _text(outer.get("Code")):
        return named
    if gateway := _integer(outer.get("showapi_res_code")):
        return f"{gateway} ({error_codes.describe_gateway_code(gateway)})"
    return f"ret_code {_text(body.get('ret_code')) or 'missing'}" if "showapi_res_body" in outer else ""


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _all_texts(outer: Json, body: Json) -> str:
    """Return the texts of all fields that may contain an error name or a message."""
    parts = [body.get("Code"), body.get("ret_code"), body.get("remark"), body.get("Message")]
    parts += [outer.get("Code"), outer.get("Message"), outer.get("showapi_res_error")]
    return _joined(_text(part) for part in parts if not isinstance(part, int | float))


def _joined(texts: Iterable[str]) -> str:
    return ": ".join(dict.fromkeys(text for text in texts if text))


def _row(item: Json) -> HostedRow:
    return HostedRow(
        entity=_text(item.get("EntityId")),
        data_id=_text(item.get("DataId")),
        extra=_text(item.get("ExtraData")),
        created_at=_time(item.get("CreatedAt")),
        updated_at=_time(item.get("UpdatedAt")),
    )


def _match(item: Json) -> HostedMatch | None:
    entity, score = _text(item.get("EntityId")), _number(item.get("Score"))
    # The comparison is false for NaN.
    if not entity or score is None or not -_ROUNDING <= score <= TOP_SCORE + _ROUNDING:
        return None
    return HostedMatch(
        entity=entity,
        score=min(max(score, 0.0), TOP_SCORE),
        data_id=_text(item.get("DataId")),
        extra=_text(item.get("ExtraData")),
        image_url=_text(item.get("ImageUrl")),
    )


def _json(content: bytes) -> Json | None:
    try:
        value = json.loads(content)
    # Deep nesting raises RecursionError.
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _data(body: Json) -> Json:
    data = body.get("Data")
    if not isinstance(data, dict):
        raise UnexpectedResponse("Data is missing")
    return data


def _list(data: Json, name: str) -> list[Any]:
    value = data.get(name)
    if value is None and name in data:
        # Some responses have null for an empty list.
        return []
    if not isinstance(value, list):
        raise UnexpectedResponse(f"{name} is missing")
    return value


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a string, or an integer as a string. Anything else, such as lone surrogates, gives an empty string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**20 else ""
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        return ""
    return value


def _integer(value: object) -> int | None:
    """Return an integer, also from a string or an integral float. Anything else gives None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _time(value: object) -> datetime | None:
    """Return a time given in milliseconds since 1970, or None."""
    milliseconds = _number(value)
    if milliseconds is None or not math.isfinite(milliseconds):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / _MILLISECONDS, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _charged(outer: Json, body: Json) -> int:
    """Return the calls charged. Some responses have the field at the top, others in the body."""
    charged = _integer(outer.get("showapi_fee_num"))
    if charged is None:
        charged = _integer(body.get("showapi_fee_num"))
    return min(max(charged or 0, 0), MAX_CHARGED)
