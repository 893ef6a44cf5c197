"""``vsearch search --compare``: write the picture that compares the searched one with its best copy."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.blocks.wording.comparison import sentence
from bot.cli.session import ServiceSession
from bot.cli.terminal.output import print_remark
from bot.domain.errors import InvalidInput
from bot.domain.pictures import Picture
from bot.services.search.search_result import SearchResult


async def write_comparison(session: ServiceSession, asked: Picture, result: SearchResult, path: Path) -> None:
    """Compare the picture with its best match that can be laid over it, and write the JPEG. Say what it shows.

    Raises InvalidInput if there is no such match, if its stored picture is missing, or if the file can't be written;
    NotComparable if the pictures don't fit.
    """
    matches = [(one.match, one.record) for one in result.matches]
    record = next((record for match, record in matches if record and match.is_comparable), None)
    if record is None:
        raise InvalidInput("There's nothing to compare: no match is a copy, or the same item, of this picture.")
    services = session.services

    async def stored() -> Picture:
        try:
            jpeg = await session.storage.pictures.get(record.digest)
        except KeyError:
            raise InvalidInput(f"The stored picture of {record.entity} is missing.") from None
        return await services.normaliser.picture(jpeg)

    async def searched() -> Picture:
        return asked

    _, found = await services.comparisons.compare(record, searched, stored)
    try:
        await asyncio.to_thread(path.write_bytes, found.jpeg)
    except OSError as error:
        raise InvalidInput(f"Can't write {path}: {error.strerror}") from error
    print_remark(f"Compared with {record.entity}: {sentence(found.facts)}")
