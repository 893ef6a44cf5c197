"""Listing all images of a database over many pages, also with a misbehaving service."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.showapi.http import paging
from bot.adapters.showapi.http.responses import ParsedPage
from bot.adapters.showapi.http.values import HostedPage, HostedRow
from bot.domain.errors import BackendGarbled
from tests.unit.adapters.showapi.responses import client, good


@dataclass
class Pages:
    """A fake service that pages by offset up to 2,000 rows and then by token, with optional faults."""

    rows: list[HostedRow]
    total: int | None = None
    most: int = 100
    tokens: bool = True
    last_token: bool = True
    stuck_at: int | None = None
    unreadable: frozenset[int] = frozenset()
    asked: list[tuple[int, int | None, str]] = field(default_factory=list)

    async def __call__(self, *, limit: int, offset: int | None = None, token: str = "") -> ParsedPage:
        self.asked.append((limit, offset, token))
        assert (offset is None) != (token == "")
        assert offset is None or offset + limit <= 2000
        start = int(token) if offset is None else offset
        if self.stuck_at is not None:
            start = min(start, self.stuck_at)
        end = min(start + min(limit, self.most), len(self.rows))
        shown = tuple(self.rows[at] for at in range(start, end) if at not in self.unreadable)
        more = self.last_token or end < len(self.rows)
        total = len(self.rows) if self.total is None else self.total
        return ParsedPage(HostedPage(shown, total, str(end) if self.tokens and more else ""), max(end - start, 0))


def _rows(count: int) -> list[HostedRow]:
    return [HostedRow(f"e_{number}", str(number)) for number in range(count)]


async def _all(pages: Pages) -> list[HostedRow]:
    return [row async for row in paging.all_rows(pages)]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1999, 2000, 2001, 2100, 2555])
async def test_every_row_is_listed_once_and_in_order(count: int) -> None:
    for pages in (Pages(_rows(count)), Pages(_rows(count), last_token=False)):
        assert await _all(pages) == pages.rows
        assert all((offset is None) == (at >= 20) for at, (_, offset, _) in enumerate(pages.asked))


async def test_short_last_page_needs_no_further_call() -> None:
    pages = Pages(_rows(150))
    await _all(pages)
    assert [offset for _, offset, _ in pages.asked] == [0, 100]


@given(
    count=st.sampled_from([0, 5, 100, 250, 2000, 2345]),
    total=st.sampled_from([None, 0, 1, 10**9, -5]),
    most=st.sampled_from([100, 30]),
    last_token=st.booleans(),
)
async def test_wrong_totals_and_small_pages_lose_no_rows(
    count: int, total: int | None, most: int, last_token: bool
) -> None:
    # Both together look like the end of the listing.
    pages = Pages(_rows(count), total=total if most == 100 else None, most=most, last_token=last_token)
    if count == 2000 and total == 10**9 and most == 100 and not last_token:
        with pytest.raises(BackendGarbled):
            await _all(pages)
    else:
        assert await _all(pages) == pages.rows


@pytest.mark.parametrize("stuck_at", [0, 50, 1900, 2000, 2200])
async def test_repeated_page_ends_the_listing(stuck_at: int) -> None:
    pages = Pages(_rows(3000), total=10**9, stuck_at=stuck_at)
    listed = await _all(pages)
    assert len(listed) == len(set(listed)) == stuck_at + 100
    assert len(pages.asked) <= 32


async def test_missing_token_beyond_the_offsets_raises_an_error() -> None:
    with pytest.raises(BackendGarbled, match="lists 2000 of 2500 images"):
        await _all(Pages(_rows(2500), tokens=False))


async def test_unreadable_rows_count_for_offsets() -> None:
    pages = Pages(_rows(250), unreadable=frozenset(range(40, 130)))
    assert len(await _all(pages)) == 160
    assert [offset for _, offset, _ in pages.asked] == [0, 100, 200]


async def test_endless_rows_raise_an_error() -> None:
    with pytest.raises(BackendGarbled, match="does not end"):
        _ = [row async for row in paging.all_rows(Pages(_rows(9000)), max_rows=5000)]


async def test_client_lists_oldest_first_with_the_prefix() -> None:
    rows = [{"EntityId": f"e_{number}", "DataId": str(number)} for number in range(3)]
    async with client(good({"TotalCount": 3, "ImageList": rows})) as (service, service_side):
        listed = [row.entity async for row in service.all_images("parts", prefix="e_")]
    assert listed == ["e_0", "e_1", "e_2"]
    (asked,) = service_side.asked
    form = {"DbName": "parts", "Offset": "0", "Limit": "100", "Order": "asc", "EntityIdPrefix": "e_"}
    assert asked.form == form | {"ds_id": "ds-7"}


async def test_rows_without_the_prefix_are_ignored() -> None:
    rows = [{"EntityId": entity, "DataId": entity} for entity in ("others_1", "e_0", "others_2")]
    async with client(good({"TotalCount": 3, "ImageList": rows})) as (service, _):
        assert [row.entity async for row in service.all_images("parts", prefix="e_")] == ["e_0"]


@dataclass
class Shrinking(Pages):
    """Deletes the first ten rows after each of the given numbers of pages."""

    after: frozenset[int] = frozenset({1})

    async def __call__(self, *, limit: int, offset: int | None = None, token: str = "") -> ParsedPage:
        page = await super().__call__(limit=limit, offset=offset, token=token)
        if len(self.asked) in self.after:
            self.rows = self.rows[10:]
        return page


@pytest.mark.parametrize("after", [{1}, {1, 2}, {1, 3, 5}, set(range(1, 40))])
async def test_rows_deleted_meanwhile_hide_no_others(after: set[int]) -> None:
    pages = Shrinking(_rows(900), after=frozenset(after))
    listed = {row.entity for row in await _all(pages)}
    if len(after) <= paging.MAX_RESTARTS:
        assert listed >= {row.entity for row in pages.rows}
    assert len(pages.asked) < 40
