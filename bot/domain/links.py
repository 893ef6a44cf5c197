"""A link for each id of a database, such as to a page of an ERP system."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from bot.domain.errors import InvalidInput

PLACE = "{id}"
"""Stands for the id in a template."""

MAX_TEMPLATE = 300
MAX_LINK = 1000
"""Characters of a template and of a link. Slack takes 3,000 in a section, and 64 characters of an id become 768."""

EXAMPLE = "https://erp.example.com/part/{id}"

# Printable ASCII without quotes, angle brackets, backslashes, carets, braces and what ends a link in mrkdwn.
_LINK = re.compile(r"https://[!#-;=?-\[\]_a-z~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)
_ENCODED_PLACE = re.compile(r"%7b ?id ?%7d", re.IGNORECASE)


def validate_template(text: str) -> str:
    """Return a template, or an empty text for none. Raises InvalidInput."""
    template = _ENCODED_PLACE.sub(PLACE, text.strip())
    if not template:
        return ""
    if len(template) > MAX_TEMPLATE:
        raise InvalidInput(f"A link can have up to {MAX_TEMPLATE} characters. This one has {len(template):,}.")
    if not template.lower().startswith("https://"):
        raise InvalidInput(f"A link must start with `https://`. Example: `{EXAMPLE}`.")
    template = f"https://{template[len('https://') :]}"
    if PLACE not in template:
        raise InvalidInput(f"A link needs `{PLACE}` where the id belongs. Example: `{EXAMPLE}`.")
    host = re.split(r"[/?#]", template.removeprefix("https://"), maxsplit=1)[0]
    if not _HOST.fullmatch(host):
        raise InvalidInput(f"A link needs the name of a server without `{PLACE}`. Example: `{EXAMPLE}`.")
    if not _LINK.fullmatch(template.replace(PLACE, "id")) or not _has_port(template):
        raise InvalidInput(f"A link must be an address without blanks, quotes and brackets. Example: `{EXAMPLE}`.")
    return template


def link_of(template: str, entity: str) -> str:
    """Return the link of an id, percent-encoded; empty without a template, or if it is too long."""
    if not template:
        return ""
    # An id of dots alone would be a step up in the path, and quote() leaves dots.
    encoded = quote(entity, safe="") if entity.strip(".") else entity.replace(".", "%2E")
    link = template.replace(PLACE, encoded)
    return link if len(link) <= MAX_LINK and _LINK.fullmatch(link) else ""


def _has_port(template: str) -> bool:
    try:
        _ = urlsplit(template).port
    except ValueError:
        return False
    return True
