"""The pictures of an imported table: which of the shared files a row means."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from bot.services.images.import_sources import ImportSource
from handlers.jobs.import_pictures import ImportedPictures
from handlers.parsing.payloads import SharedFile
from handlers.parsing.payloads.files import FileState

MAX_BYTES = 1_000


async def read(file: SharedFile) -> bytes:
    return file.id.encode()


async def save(url: str, token: str, path: Path, max_bytes: int) -> None:
    raise AssertionError


async def fetch(address: str) -> bytes:
    raise AssertionError


async def test_name_that_several_shared_pictures_have_is_refused(tmp_path: Path) -> None:
    pictures = ImportedPictures(
        tmp_path, save=save, read=read, fetch=fetch, token="", max_bytes=MAX_BYTES, hold_memory=nullcontext
    )
    named = (("F1", "image.png"), ("F2", "Image.PNG"), ("F3", "valve.png"))
    await pictures.open([], [SharedFile(file_id, FileState.READY, name) for file_id, name in named])
    rows = [ImportSource(Path(name), "id") for name in ("image.png", "photos/valve.png")]
    async with pictures.fetched(rows, {}, "F0") as fetched:
        assert fetched[0].source.error.startswith("2 pictures beside the table are named image.png.")
        assert (fetched[1].file_id, fetched[1].source.path.read_bytes()) == ("F3", b"F3")
    assert pictures.file_ids == ("F1", "F2", "F3")
