"""What would let a reader act as us is taken out of text: by its form, by its name, and by its value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

MIN_SECRET = 4
"""Shorter values would tear holes into all text, and are no secrets."""

# By its form, wherever it stands.
_TOKEN_FORMS = re.compile(
    r"""
      \bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w.%-]+          # Slack's tokens
    | (?<=Bearer\ )(?!\[redacted\])[^\s"',}\]]+           # whatever authorises a request
    | (?<=/commands/)[\w/%-]+                             # response URLs of a stand-in; Slack's own are below
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                     # user:password of a database address
    | \bv0=[0-9a-f]{64}\b                                 # Slack's signature: good for five minutes
    | \bgAAAA[\w=-]{60,}                                  # sealed by us: tokens at rest, links to pictures
    """,
    re.VERBOSE,
)

# Each pattern reads a text once: no repetition can begin at every place of another.
_QUOTE = r"""(?:\\{0,3}["'])"""
_QUOTED = r"""(?P<quote>\\{0,3}["'])(?:(?!(?P=quote)).)+"""
_WORD = r"""(?!\[redacted\])[^\s"'&,;)}\]\\]+"""
_SENSITIVE_NAMES = r"(?:secret|passw(?:or)?d|app_?key|api_?key|private_?key|(?:access|refresh|id)_token)"
_HEADERS = r"(?:authorization|cookie)"

# By its name, or by the address that it is part of: the group “told” stays.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Slack's response URLs, whose holder can post, and incoming webhooks; an address may stand escaped in another.
        r"(?P<told>hooks\.slack(?:-gov)?\.com(?:/|%2F))[\w/%.+-]+",
        r"(?P<told>(?:/|%2F)media(?:/|%2F))[\w=%.~-]{20,}",
        # In a query: OAuth's, Socket Mode's ticket, the hosted search's.
        r"""(?P<told>[?&](?:code|state|ticket|token|sign(?:ature)?|showapi_sign)=)[^\s&"'#]+""",
        # Bolt tells which of OAuth's codes Slack refused.
        r"(?P<told>\bwith code: )\S+",
        # In a form, a mapping, JSON or the environment.
        rf"(?P<told>{_SENSITIVE_NAMES}{_QUOTE}?\s*[:=,]\s*b?){_QUOTED}",
        rf"(?P<told>{_SENSITIVE_NAMES}{_QUOTE}?\s*[:=]\s*)(?!b?{_QUOTE}){_WORD}",
        rf"(?P<told>{_QUOTE}token{_QUOTE}\s*[:,]\s*){_QUOTED}",
        rf"(?P<told>\btoken=)(?!{_QUOTE}){_WORD}",
        # Headers: in quotes up to the same quote, as a line of its own to its end.
        rf"(?P<told>{_HEADERS}{_QUOTE}\s*[:,]\s*b?){_QUOTED}",
        rf"(?P<told>{_HEADERS}\s*[:=]\s*)(?!{_QUOTE})[^\r\n]+",
    )
)

_FIELD = re.compile(
    rf".*{_SENSITIVE_NAMES}|(?:set_)?cookies?|.*authorization|.*token|ticket|response_url", re.IGNORECASE
)


class Redactor:
    """Takes secrets out of text. ``values``: those that the settings hold, found whatever stands around them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        written = {form for value in values if len(value) >= MIN_SECRET for form in _spellings(value)}
        # The longest first: one may be the beginning of another.
        ordered = sorted(written, key=len, reverse=True)
        # Whatever the case: of percent signs' digits, and of those who shout.
        pattern = "|".join(re.escape(form) for form in ordered)
        self._values = re.compile(pattern, re.IGNORECASE) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without what would let a reader act as us."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        text = _TOKEN_FORMS.sub(REDACTED, text)
        for pattern in _NAMED:
            text = pattern.sub(_replacement, text)
        return text

    def field(self, name: str, text: str) -> str:
        """The text of a field that is called so."""
        return REDACTED if _FIELD.fullmatch(name) else self(text)


def _replacement(match: re.Match[str]) -> str:
    return f"{match['told']}{match.groupdict().get('quote', '')}{REDACTED}"


def _spellings(value: str) -> Iterable[str]:
    """The ways in which a value may stand in a line: as it is, in an address, in JSON, in Python's quotes."""
    quoted = quote(value, safe="")
    return value, quoted, quote(quoted, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]


redact = Redactor()
