"""Finds names in the environment and in .env that look like settings but are none, such as misspelled ones."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping

from bot.config.declarations import DeclaredSettings

_OWN_PREFIXES = ("VSEARCH_", "SHOWAPI_")
_NOT_FOR_THE_BOT = re.compile(
    # The benchmarks' own, and what Kubernetes sets for a service named vsearch.
    r"VSEARCH_BENCH_.*|VSEARCH_SERVICE_(HOST|PORT.*)|VSEARCH_PORT(_\d+_(TCP|UDP).*)?"
)
_SIMILAR, _SIMILAR_SHORT, _VERY_SIMILAR = 0.6, 0.74, 0.84
_SHORT = 5
"""Names of up to so many letters, such as HOST, resemble too many others in an environment, but not in a file."""


def unknown_settings(environment: Mapping[str, str], env_file: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each name that is probably meant as a setting. No sentence has a value.

    Names of ours that don't exist count, and names that resemble a setting that is not set.
    """
    known = [item.metadata["name"] for item in dataclasses.fields(DeclaredSettings)]
    unset = [name for name in known if not environment.get(name) and not env_file.get(name)]
    names = sorted({name for given in (environment, env_file) for name in given if given[name]} - set(known))
    return tuple(_sentences(names, known, unset, env_file))


def _sentences(names: list[str], known: list[str], unset: list[str], env_file: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        if _NOT_FOR_THE_BOT.fullmatch(name.upper()):
            continue
        prefix = next((one for one in _OWN_PREFIXES if name.upper().startswith(one)), "")
        if prefix:
            similar = _closest(name, [one for one in known if one.startswith(prefix)], _SIMILAR, len(prefix))
        else:
            similar = _closest(name, [one for one in unset if len(one) > _SHORT], _VERY_SIMILAR)
            if similar is None and name in env_file:
                similar = _closest(name, [one for one in unset if len(one) <= _SHORT], _SIMILAR_SHORT)
        if similar:
            yield f"{name} is not a setting of vsearch and has no effect; did you mean {similar}?"
        elif prefix:
            yield f"{name} is not a setting of vsearch and has no effect; .env.example lists all settings."


def _closest(name: str, known: list[str], cutoff: float, skipped: int = 0) -> str | None:
    """Return the setting that a name resembles most, apart from the first ``skipped`` letters, which are the same."""
    rest = name.upper()[skipped:]
    # Two texts are at most as similar as their lengths. Comparing them takes ten times as long.
    by_rest = {
        one[skipped:]: one
        for one in known
        if 2 * min(len(rest), len(one) - skipped) >= cutoff * (len(rest) + len(one) - skipped)
    }
    found = difflib.get_close_matches(rest, by_rest, n=1, cutoff=cutoff)
    return by_rest[found[0]] if found else None
