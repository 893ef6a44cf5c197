"""Reads pictures that are named on the command line, by path or by http(s) address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from bot.cli.session import ServiceSession
from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.services.images.import_sources import printable


@dataclass(frozen=True, slots=True)
class PictureArgument:
    """A path or an address, as typed."""

    text: str

    @property
    def is_address(self) -> bool:
        """Whether this is an http(s) address."""
        return self.text.lower().startswith(("http://", "https://"))

    @property
    def file_name(self) -> str:
        """The last part of the path or address; ``image`` if that is empty."""
        path = PurePosixPath(unquote(urlsplit(self.text).path)) if self.is_address else Path(self.text)
        return printable(path.name) or "image"


async def read_picture(services_session: ServiceSession, named: PictureArgument) -> Picture:
    """Read or fetch a picture and decode it. Raises PictureRefused and FetchRefused."""
    services = services_session.services
    async with services.downloads.hold():
        if named.is_address:
            data = await services.fetcher.fetch(named.text)
        else:
            data = await asyncio.to_thread(_read, Path(named.text), services.settings.max_image_mb)
        return await services.normaliser.picture(data)


def _read(path: Path, max_mb: int) -> bytes:
    max_bytes = max_mb * 1_000_000
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise PictureRefused(f"There is no file {path}.") from None
    except OSError as error:
        raise PictureRefused(f"{path} can't be read: {error.strerror or error}.") from None
    if len(data) > max_bytes:
        raise PictureRefused(f"{path} is larger than {max_mb} MB (VSEARCH_MAX_IMAGE_MB).")
    return data
