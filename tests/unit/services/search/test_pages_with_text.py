"""Further pages of an answer use the text of the picture as the first one did."""

from __future__ import annotations

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pictures import Picture
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.search.lookup import LookupService, SearchScope
from bot.services.search.search import SearchService
from bot.services.text.query_texts import PendingText, QueryTexts
from bot.services.text.ranker import StoredTextRanker
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.fakes.texts import FakeTextReader, text_of

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
QUERY = random_picture(9)


@pytest.mark.parametrize("with_text", [True, False, None])
async def test_text_takes_part_as_on_the_first_page(storage: SqlStorage, with_text: bool | None) -> None:
    visual = MemorySearch()
    await DatabaseService(visual, storage).create(PARTS)
    await AddService(visual, storage).add(PARTS, random_picture(1), b"jpeg", EntityId("valve"), Note())
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("BRAVO VALVE"))
    reader = FakeTextReader({QUERY.digest: text_of("BRAVO VALVE")})
    queries = QueryTexts(reader)

    async def request(key: DatabaseKey, picture: Picture) -> PendingText | None:
        del key
        return queries.request(picture)

    search = SearchService(visual, storage.catalogue, texts=StoredTextRanker(storage.texts, queries))
    lookup = LookupService(search, storage.catalogue, request)

    async def read() -> Picture:
        return QUERY

    async def look_up() -> tuple[bool, bool]:
        scope = SearchScope((PARTS,), with_text=with_text)
        [answer] = await lookup.look_up(scope, [("", read)], minimum=0)
        assert answer.found is not None
        return answer.found.with_text, answer.pending is not None

    # The first answer comes without the text unless an earlier page had it. It is edited later if nothing is settled.
    assert await look_up() == (with_text is True, with_text is None)
    await queries.read(QUERY)
    assert await look_up() == (with_text is not False, False)
