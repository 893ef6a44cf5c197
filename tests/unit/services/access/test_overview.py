"""What one reader sees of all databases: channels that are private now, guests, and how often Slack is asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Moment, NewImages
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.services.access.overview import MAX_ROUNDS, OverviewService
from bot.services.access.privacy import MAX_CHANNELS_COUNTED
from bot.storage.ports.home import DatabasesSeen, Visit
from tests.unit.services.access.readers import NOW, PRIVATE, PUBLIC, TEAM, only, privacy, record

PARTS = DatabaseName("parts")


class Records:
    """One database whose images came from one channel each; the newest comes last."""

    def __init__(self, channels: dict[str, ChannelKind]) -> None:
        self._stored = channels
        self._images = [record(number, channel, kind) for number, (channel, kind) in enumerate(channels.items())]
        self.readings = 0

    async def channels(self, *_: object) -> tuple[tuple[str, ChannelKind], ...]:
        return tuple(self._stored.items())

    async def databases_seen(
        self, _workspace: WorkspaceId, _names: Collection[DatabaseName], visible: VisibleOrigins, since: Moment
    ) -> DatabasesSeen:
        self.readings += 1
        seen = [one for one in self._images if one.origin is not None and one.origin.channel in visible.channels]
        newest: dict[DatabaseName, ImageRecord] = {PARTS: seen[-1]} if seen else {}
        news = tuple(NewImages(PARTS, "U0BOB", one.origin.channel, 1) for one in seen[-1:] if one.origin)
        hidden = {PARTS: len(self._images) - len(seen)}
        return DatabasesSeen(newest, hidden, news, False, len(seen), len(seen), replace(since, origin=9))

    async def visit(self, *_: object) -> Visit | None:
        raise NotImplementedError

    async def record_visit(self, *_: object) -> None:
        raise NotImplementedError

    async def forget_workspace(self, *_: object) -> None:
        raise NotImplementedError


class Channels:
    """Slack, where these channels are public and all others private, without the reader."""

    def __init__(self, *public: str) -> None:
        self._public = public
        self.asked: list[str] = []

    async def kind(self, channel: str, _known: ChannelKind) -> ChannelKind:
        self.asked.append(channel)
        return PUBLIC if channel in self._public else PRIVATE

    async def can_read(self, _channel: str, _user: str) -> bool:
        return False

    async def is_guest(self, _user: str) -> bool:
        return False

    async def has_guests(self, _channel: str) -> bool:
        return False


def info(images: int, *, hints: bool = False) -> DatabaseInfo:
    return DatabaseInfo(record(1).database, images, NOW, hints_at_hidden=hints)


async def test_channels_that_became_private_are_left_out_until_what_is_shown_is_public() -> None:
    stored = {f"C{number}": PUBLIC for number in range(10)}
    for public in ((), ("C0",), ("C8",), tuple(stored)):
        records, channels = Records(stored), Channels(*public)
        seen = await OverviewService(records, privacy).of([info(10)], only(), channels, None)
        shown = [one.origin.channel for one in seen.newest.values() if one.origin]
        assert set(shown) <= set(public)
        assert {group.channel for group in seen.news} <= set(public)
        assert records.readings <= MAX_ROUNDS
        if public in {("C8",), tuple(stored)}:
            assert shown == [group.channel for group in seen.news] == [public[-1]]
    # The usual case needs one look-up.
    assert channels.asked.count("C9") >= 1
    assert set(channels.asked) == {"C9"}


async def test_sizes_leave_out_hidden_images_unless_the_database_hints_at_them() -> None:
    records = Records({"C1": PUBLIC, "C2": PRIVATE})
    service = OverviewService(records, privacy, reads_texts=False, clock=lambda: NOW)
    seen = await service.of([info(2)], only(), Channels("C1"), None)
    assert ([one.images for one in seen.databases], seen.unread, seen.unprepared) == ([1], 0, 1)
    assert seen.since == Moment(NOW - timedelta(days=7))
    hinting = await service.of([info(2, hints=True)], only(), Channels("C1"), Moment(NOW, 3))
    assert [one.images for one in hinting.databases] == [2]
    assert (hinting.since, hinting.moment) == (Moment(NOW, 3), Moment(NOW, 9))


async def test_only_so_many_closed_conversations_are_looked_up() -> None:
    channels = Channels()
    records = Records({f"C{number:03d}": PRIVATE for number in range(MAX_CHANNELS_COUNTED + 20)})
    seen = await OverviewService(records, privacy).of([info(120)], only(), channels, None)
    assert len(set(channels.asked)) == MAX_CHANNELS_COUNTED
    assert seen.news == ()
    assert only().workspace == TEAM
