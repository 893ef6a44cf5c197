"""``GET /e/{token}``: shows an entity to anyone who has its signed link: pictures, note, and where they were posted."""

from __future__ import annotations

import base64
import hashlib
import html
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendError, RetryLater
from bot.media.links import EntityClaim, LinkExpired, LinkRefused, MediaLinks
from bot.services.access.entity_views import EntityView

log = logging.getLogger(__name__)

ViewEntity = Callable[[EntityClaim], Awaitable[EntityView | None]]
"""Returns what the page of a link may show now; None if that is nothing. Raises BackendError and RetryLater."""

MAX_PICTURES = 50
PICTURE_TTL_S = 3600
"""Lifetime in seconds of the page's links to pictures. The page itself may show less an hour later."""

NOTHING_HERE = "There is nothing here."
EXPIRED = "This link has expired. List the image again for a new one."
NOT_NOW = "This page can't be shown right now. Please try again in a minute."

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1d1c1d;"
    "background:#fff}ul{list-style:none;padding:0;display:grid;gap:1.5rem;"
    "grid-template-columns:repeat(auto-fill,minmax(16rem,1fr))}figure{margin:0}img{max-width:100%;height:auto}"
    "figcaption,.about{color:#616061}a{color:#1264a3}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Notes and ids are what people wrote. The page has no script and loads only pictures of this host.
    "Content-Security-Policy": (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


class EntityPageEndpoint:
    """Answers with the page of an entity."""

    def __init__(self, links: MediaLinks, view: ViewEntity) -> None:
        self._links = links
        self._view = view

    async def answer(self, request: Request) -> Response:
        """Answer with the page; 404 for a bad link or nothing to see, 410 for an expired link, 503 on errors."""
        try:
            view = await self._view(self._links.read_entity(request.path_params["token"]))
        except LinkExpired:
            return _sentence(EXPIRED, 410)
        except LinkRefused:
            return _sentence(NOTHING_HERE, 404)
        except (BackendError, RetryLater) as error:
            log.warning("the page of an entity could not be shown: %s", error)
            return _sentence(NOT_NOW, 503)
        if view is None:
            return _sentence(NOTHING_HERE, 404)
        return HTMLResponse(self._page(view), headers=_HEADERS)

    def _page(self, view: EntityView) -> str:
        title, total = html.escape(view.entity), len(view.images)
        figures = "".join(
            f"<li>{self._figure(view, image, number)}</li>"
            for number, image in enumerate(view.images[:MAX_PICTURES], start=1)
        )
        photos = "1 picture" if total == 1 else f"{total} pictures"
        shown = f", the first {MAX_PICTURES} shown" if total > MAX_PICTURES else ""
        note = f"<p>{html.escape(view.note)}</p>" if view.note else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>{note}"
            f'<p class="about">{photos} in {html.escape(view.database.name)}{shown}</p><ul>{figures}</ul>'
            "</main></body></html>"
        )

    def _figure(self, view: EntityView, image: ImageRecord, number: int) -> str:
        token = self._links.picture_token(view.database.workspace, image.digest, PICTURE_TTL_S)
        about = f", {image.note}" if image.note else ""
        alt = html.escape(f"{view.entity}, picture {number} of {len(view.images)}{about}")
        note = f"{html.escape(image.note)}<br>" if image.note and image.note != view.note else ""
        # Relative, since a proxy may serve the bot under any path.
        return (
            f'<figure><img src="../media/{token}" alt="{alt}" loading="lazy"><figcaption>{note}{_whereabouts(image)}'
            "</figcaption></figure>"
        )


def _whereabouts(image: ImageRecord) -> str:
    moment = image.posted_at or image.added_at
    text = f"{'Posted' if image.posted_at else 'Added'} on {moment:%Y-%m-%d}"
    link = image.origin.permalink if image.origin else ""
    if not link.startswith("https://"):
        return text
    return f'{text}. <a href="{html.escape(link)}" rel="noreferrer">Original message</a>'


def _sentence(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_HEADERS)
