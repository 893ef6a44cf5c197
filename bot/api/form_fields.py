"""Parses and validates the form fields of a call. All fields are strings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self
from urllib.parse import parse_qsl

from bot.api.entities import is_portable
from bot.api.errors import CallRefused, GatewayCode, GatewayRefused, SearchCode
from bot.api.limits import MAX_URL_LENGTH
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 100

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class FormFields:
    """The fields that a caller sent. Reading an invalid field raises CallRefused or InvalidInput."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Self:
        """Parse a form. Raises GatewayRefused."""
        if content_type.partition(";")[0].strip().lower() != FORM:
            raise GatewayRefused(GatewayCode.INVALID, f"The body must be a form of type {FORM}.")
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError:
            message = f"The form is invalid. It must be UTF-8 with at most {MAX_FIELDS} fields."
            raise GatewayRefused(GatewayCode.INVALID, message) from None
        return cls(dict(pairs))

    def required(self, name: str) -> str:
        """Return a field that must not be missing or empty."""
        if not self._values.get(name):
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, f"{name} is missing.")
        return self._values[name]

    def optional(self, name: str) -> str:
        """Return a field, or an empty string if it is missing."""
        return self._values.get(name, "")

    def require_source(self) -> None:
        """Check that there is a ``ds_id``, with any value. Raises GatewayRefused."""
        if not self._values.get("ds_id"):
            raise GatewayRefused(GatewayCode.INVALID, "ds_id is missing.")

    def database(self, name: str = "DbName") -> DatabaseName:
        """Return the database's name."""
        return DatabaseName(self.required(name))

    def entity(self) -> EntityId:
        """Return ``EntityId``, which has 1 to 64 characters of ``a-z 0-9 _`` in this API."""
        text = self.required("EntityId")
        if not is_portable(text):
            message = "EntityId must have 1 to 64 characters: a-z, 0-9 and _."
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, message)
        return EntityId(text)

    def entity_prefix(self) -> str:
        """Return ``EntityIdPrefix``, which may be missing or empty."""
        text = self.optional("EntityIdPrefix")
        if text and not is_portable(text):
            message = "EntityIdPrefix can have up to 64 characters: a-z, 0-9 and _."
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, message)
        return text

    def note(self) -> Note:
        """Return ``ExtraData``, which may be empty but not missing."""
        if "ExtraData" not in self._values:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, "ExtraData is missing. It may be empty.")
        return Note(self._values["ExtraData"])

    def url(self) -> str:
        """Return ``ImageUrl``, which must be ASCII and at most MAX_URL_LENGTH characters long."""
        url = self.required("ImageUrl")
        if not url.isascii() or not url.isprintable():
            message = "ImageUrl must be ASCII. Percent-encode all other characters, such as Chinese ones."
            raise CallRefused(SearchCode.ILLEGAL_URL, message)
        if len(url) > MAX_URL_LENGTH:
            raise CallRefused(SearchCode.ILLEGAL_URL, f"ImageUrl is longer than {MAX_URL_LENGTH} characters.")
        return url

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from ``low`` to ``high``. It may be missing only if there is a ``default``."""
        text = self.required(name) if default is None else self.optional(name)
        if not text and default is not None:
            return default
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def order(self) -> Order:
        """Return ``Order``. The default is newest first."""
        order = self.optional("Order") or Order.NEWEST_FIRST
        if order not in {Order.NEWEST_FIRST, Order.OLDEST_FIRST}:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, "Order must be asc or desc.")
        return Order(order)
