"""The fields of a call: form-encoded, every one a string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self
from urllib.parse import parse_qsl

from bot.api.errors import CallRefused, GatewayCode, GatewayRefused, SearchCode
from bot.api.limits import MAX_URL_LENGTH
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 100

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class FormFields:
    """What a caller sent. Reading a field that doesn't fit raises CallRefused or InvalidInput."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Self:
        """Read a form. Raises GatewayRefused."""
        if content_type.partition(";")[0].strip().lower() != FORM:
            raise GatewayRefused(GatewayCode.INVALID, f"The body must be a form of type {FORM}.")
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise GatewayRefused(GatewayCode.INVALID, "The form can't be read: it must be UTF-8.") from None
        return cls(dict(pairs))

    def required(self, name: str) -> str:
        """A field that must be there, and not be empty."""
        if not self._given.get(name):
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, f"{name} is missing.")
        return self._given[name]

    def optional(self, name: str) -> str:
        """A field that may be missing, which is the same as empty."""
        return self._given.get(name, "")

    def require_source(self) -> None:
        """Ask for ``ds_id``, whatever it says. Raises GatewayRefused."""
        if not self._given.get("ds_id"):
            raise GatewayRefused(GatewayCode.INVALID, "ds_id is missing.")

    def database(self, name: str = "DbName") -> DatabaseName:
        """The database's name."""
        return DatabaseName(self.required(name))

    def entity(self) -> EntityId:
        """Whose images."""
        return EntityId(self.required("EntityId"))

    def note(self) -> Note:
        """``ExtraData``, which may be empty but not missing."""
        if "ExtraData" not in self._given:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, "ExtraData is missing; it may be empty.")
        return Note(self._given["ExtraData"])

    def url(self) -> str:
        """``ImageUrl``."""
        url = self.required("ImageUrl")
        if not url.isascii() or not url.isprintable():
            message = "ImageUrl may have ASCII characters only, no Chinese ones: percent-encode them."
            raise CallRefused(SearchCode.ILLEGAL_URL, message)
        if len(url) > MAX_URL_LENGTH:
            raise CallRefused(SearchCode.ILLEGAL_URL, f"ImageUrl may have {MAX_URL_LENGTH} characters at most.")
        return url

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number; must be there unless there is a default."""
        text = self.required(name) if default is None else self.optional(name)
        if not text and default is not None:
            return default
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def order(self) -> Order:
        """``Order``; newest first unless said."""
        try:
            return Order(self.optional("Order") or Order.NEWEST_FIRST)
        except ValueError:
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, "Order must be asc or desc.") from None
