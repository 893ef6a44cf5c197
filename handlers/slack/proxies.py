"""The proxy for requests to Slack."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy for a URL, from the usual environment variables; None without one.

    Slack's SDK takes ``HTTPS_PROXY`` or else ``HTTP_PROXY``, but ignores ``NO_PROXY``. Set the result on its clients.
    """
    host = urlsplit(url).netloc.rpartition("@")[2]
    if not host or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get("https") or proxies.get("http") or None
