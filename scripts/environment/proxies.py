"""Proxy settings in environment variables. Loopback must never be reached through a proxy."""

from __future__ import annotations

from collections.abc import Mapping

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without proxies, for programs with an HTTP client that ignores ``no_proxy``."""
    return {name: value for name, value in environment.items() if name.lower() not in PROXIES}


def loopback_without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables that exclude loopback from the proxy, if a proxy is set."""
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return {}
    excepted = [host for host in (environment.get("no_proxy") or environment.get("NO_PROXY") or "").split(",") if host]
    hosts = ",".join([*excepted, *(host for host in LOOPBACK if host not in excepted)])
    return {"no_proxy": hosts, "NO_PROXY": hosts}
