"""Removes secrets from text, recognised by their form, by the name before them or by their value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

MIN_SECRET = 4
"""Shorter values are not secret, and redacting them would make all text unreadable."""

# Secrets with a recognisable form, anywhere in the text.
_TOKEN_FORMS = re.compile(
    r"""
      \bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w.%-]+          # Slack's tokens
    | (?<=Bearer\ )(?!\[redacted\])[^\s"',}\]]+           # authorization headers
    | (?<=/commands/)[\w/%-]+                             # response URLs of a fake Slack; Slack's own are below
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                     # user:password of a database address
    | \bv0=[0-9a-f]{64}\b                                 # Slack's signature, valid for five minutes
    | \bgAAAA[\w=-]{60,}                                  # our encrypted values: stored tokens, picture links
    """,
    re.VERBOSE,
)

# Each pattern takes linear time: no repetition overlaps another.
_QUOTE = r"""(?:\\{0,3}["'])"""
_QUOTED = r"""(?P<quote>\\{0,3}["'])(?:(?!(?P=quote)).)+"""
_WORD = r"""(?!\[redacted\])[^\s"'&,;)}\]\\]+"""
_SENSITIVE_NAMES = r"(?:secret|passw(?:or)?d|app_?key|api_?key|private_?key|(?:access|refresh|id)_token)"
_HEADERS = r"(?:authorization|cookie)"

# Secrets after a name or inside an address. The group “kept” stays in the text.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Slack's response URLs and incoming webhooks, with which anyone can post; they may be escaped in another URL.
        r"(?P<kept>hooks\.slack(?:-gov)?\.com(?:/|%2F))[\w/%.+-]+",
        r"(?P<kept>(?:/|%2F)(?:media|e)(?:/|%2F))[\w=%.~-]{20,}",
        # In a query string: OAuth codes, Socket Mode tickets, signatures for the hosted search.
        r"""(?P<kept>[?&](?:code|state|ticket|token|sign(?:ature)?|showapi_sign)=)[^\s&"'#]+""",
        # Bolt logs the OAuth code that Slack refused.
        r"(?P<kept>\bwith code: )\S+",
        # In a form, a mapping, JSON or the environment.
        rf"(?P<kept>{_SENSITIVE_NAMES}{_QUOTE}?\s*[:=,]\s*b?){_QUOTED}",
        rf"(?P<kept>{_SENSITIVE_NAMES}{_QUOTE}?\s*[:=]\s*)(?!b?{_QUOTE}){_WORD}",
        rf"(?P<kept>{_QUOTE}token{_QUOTE}\s*[:,]\s*){_QUOTED}",
        rf"(?P<kept>\btoken=)(?!{_QUOTE}){_WORD}",
        # Headers: quoted up to the same quote, unquoted up to the end of the line.
        rf"(?P<kept>{_HEADERS}{_QUOTE}\s*[:,]\s*b?){_QUOTED}",
        rf"(?P<kept>{_HEADERS}\s*[:=]\s*)(?!{_QUOTE})[^\r\n]+",
    )
)

_FIELD = re.compile(
    rf".*{_SENSITIVE_NAMES}|(?:set_)?cookies?|.*authorization|.*token|ticket|response_url", re.IGNORECASE
)


class Redactor:
    """Removes secrets from text; ``values`` are secrets from the settings, removed wherever they appear."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        written = {form for value in values if len(value) >= MIN_SECRET for form in _spellings(value)}
        # Longest first, since one value may be the beginning of another.
        ordered = sorted(written, key=len, reverse=True)
        # Ignore case: percent-encoding uses both, and some programs change it.
        pattern = "|".join(re.escape(form) for form in ordered)
        self._values = re.compile(pattern, re.IGNORECASE) if ordered else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced by ``[redacted]``."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        text = _TOKEN_FORMS.sub(REDACTED, text)
        for pattern in _NAMED:
            text = pattern.sub(_replacement, text)
        return text

    def field(self, name: str, text: str) -> str:
        """Return the text of a named field; ``[redacted]`` if the name is sensitive."""
        return REDACTED if _FIELD.fullmatch(name) else self(text)


def _replacement(match: re.Match[str]) -> str:
    return f"{match['kept']}{match.groupdict().get('quote', '')}{REDACTED}"


def _spellings(value: str) -> Iterable[str]:
    """Return the forms in which a value may appear: plain, percent-encoded, in JSON and in a Python repr."""
    quoted = quote(value, safe="")
    return value, quoted, quote(quoted, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]


redact = Redactor()
