"""Reads pictures that are named on the command line, by path or by http(s) address."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from bot.cli.session import ServiceSession
from bot.domain.errors import InvalidInput, PictureRefused
from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.services.images.import_sources import printable
from bot.services.imports.folder_walk import LeftOut, walk_pictures

_NUMBER = re.compile(r"\d{1,6}(\.\d{0,6})?%?", re.ASCII)
_REGION_NUMBERS = 4
T = TypeVar("T")


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


def with_name(picture: str, error: str) -> str:
    """Return an error about a picture, with the picture's name if it lacks that."""
    return error if picture in error else f"{picture}: {error}"


@dataclass(frozen=True, slots=True)
class PicturesToSearch:
    """The pictures that a command line names. ``several``: a folder, or more than one argument."""

    pictures: tuple[PictureArgument, ...]
    several: bool
    remarks: tuple[str, ...] = ()


def pictures_to_search(arguments: Sequence[str]) -> PicturesToSearch:
    """Return the pictures of files, folders with their subfolders, and addresses, in this order.

    Raises InvalidInput for a folder without pictures, and OSError for one that can't be read.
    """
    pictures: list[PictureArgument] = []
    remarks: list[str] = []
    folders = 0
    for argument in arguments:
        if PictureArgument(argument).is_address or not Path(argument).is_dir():
            pictures.append(PictureArgument(argument))
            continue
        folders += 1
        left_out = LeftOut()
        found = [one for one in walk_pictures(Path(argument), left_out) if isinstance(one, Path)]
        if not found:
            raise InvalidInput(f"There are no pictures in {argument}. {left_out.sentence()}".rstrip())
        pictures.extend(PictureArgument(str(path)) for path in found)
        remarks.extend(filter(None, (left_out.sentence(),)))
    return PicturesToSearch(tuple(pictures), folders > 0 or len(arguments) > 1, tuple(remarks))


REGION_FORM = (
    "x,y,width,height, in pixels of the upright picture, as shares from 0 to 1, or in percent (50%,0,50%,100%)"
)


def parse_region(text: str, size: tuple[int, int]) -> PictureRegion:
    """Return the region that ``--region`` names of a picture of this size (width, height). Raises InvalidInput."""
    from bot.images.parts import check_region  # noqa: PLC0415 - OpenCV takes 180 ms, and “--help” imports this module

    parts = [part.strip() for part in text.split(",")]
    matched = [_NUMBER.fullmatch(part) for part in parts]
    if len(parts) != _REGION_NUMBERS or not all(matched):
        raise InvalidInput(f"--region must be {REGION_FORM}.")
    numbers = [float(part.rstrip("%")) for part in parts]
    # A region of at most one pixel makes no sense, so such numbers are shares.
    are_shares = max(numbers) <= 1 and "%" not in text
    values = [
        number if are_shares else number / (100 if part.endswith("%") else length)
        for number, part, length in zip(numbers, parts, size * 2, strict=True)
    ]
    try:
        return check_region(PictureRegion(*values))
    except InvalidInput:
        raise InvalidInput(f"--region must lie inside the picture, which is {size[0]} × {size[1]} pixels.") from None


async def read_picture(services_session: ServiceSession, named: PictureArgument) -> Picture:
    """Read or fetch a picture and decode it. Raises PictureRefused and FetchRefused."""
    return await _decoded(services_session, named, services_session.services.normaliser.picture)


async def read_picture_and_jpeg(services_session: ServiceSession, named: PictureArgument) -> tuple[Picture, bytes]:
    """Do the same, and return the JPEG to store too. Raises PictureRefused and FetchRefused."""
    return await _decoded(services_session, named, services_session.services.normaliser.picture_and_jpeg)


async def _decoded(
    services_session: ServiceSession, named: PictureArgument, decode: Callable[[bytes], Awaitable[T]]
) -> T:
    services = services_session.services
    async with services.downloads.hold():
        if named.is_address:
            data = await services.fetcher.fetch(named.text)
        else:
            data = await asyncio.to_thread(_read, Path(named.text), services.settings.max_image_mb)
        return await decode(data)


def _read(path: Path, max_mb: int) -> bytes:
    max_bytes = max_mb * 1_000_000
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise PictureRefused(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise PictureRefused(f"{path} is a folder. Use “vsearch import” for its pictures.") from None
    except OSError as error:
        raise PictureRefused(f"{path} can't be read: {error.strerror or error}.") from None
    if len(data) > max_bytes:
        raise PictureRefused(f"{path} is larger than {max_mb} MB (VSEARCH_MAX_IMAGE_MB).")
    return data
