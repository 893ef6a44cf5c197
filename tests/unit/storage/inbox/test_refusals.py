"""Why shared files could not be added, on each kind of database: kept while the file is there, and no longer."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from bot.domain.catalogue import SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.jobs import ChannelRefusals, Job, JobKind, NewJob, RefusedFile
from bot.storage.inbox.activity import MAX_REASON, REFUSED_PER_CHANNEL
from bot.storage.sql.schema.tables import inbox_files
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
LINK, REASON = "https://slack.example/p1", "The PNG is damaged."


async def put(
    storage: SqlStorage, message: str, *files: str, workspace: WorkspaceId = TEAM, channel: str = "C1"
) -> Job:
    await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", channel, message, files, message))
    [job] = await storage.inbox.claim("one", 1, 15)
    return job


async def refusals(storage: SqlStorage, workspace: WorkspaceId = TEAM) -> dict[str, tuple[int, list[str]]]:
    """Return the number of refused files of each channel, and which are read."""
    now = storage.inbox._clock()
    found = (await storage.job_overview.of(workspace, now - timedelta(days=1))).refusals
    return {one.channel: (one.total, [file.file for file in one.newest]) for one in found}


async def test_newest_refused_files_of_each_channel_are_read(storage: SqlStorage) -> None:
    for number in range(REFUSED_PER_CHANNEL + 2):
        job = await put(storage, f"{number}", f"F{number}")
        await storage.job_overview.record_refusals(job, {f"F{number}": REASON}, LINK)
    await put(storage, "8", "F8", channel="C2")
    other = await put(storage, "9", "F9", channel="C2")
    await storage.job_overview.record_refusals(other, {"F9": "x" * 1000}, "")
    foreign = await put(storage, "1", "F1", workspace=OTHER_TEAM)
    await storage.job_overview.record_refusals(foreign, {"F1": REASON}, LINK)
    assert await refusals(storage) == {"C1": (7, ["F6", "F5", "F4", "F3", "F2"]), "C2": (1, ["F9"])}
    assert await refusals(storage, OTHER_TEAM) == {"C1": (1, ["F1"])}
    [newest] = (await storage.job_overview.of(TEAM, other.created_at)).refusals
    assert newest == ChannelRefusals("C2", 1, (RefusedFile("C2", "F9", "x" * MAX_REASON, "", "9", other.created_at),))
    assert (await storage.job_overview.of(TEAM, other.created_at + timedelta(seconds=1))).refusals == ()


async def test_later_attempt_replaces_what_was_refused(storage: SqlStorage) -> None:
    job = await put(storage, "1", "F1", "F2")
    await storage.job_overview.record_refusals(job, {"F1": REASON}, LINK)
    await storage.job_overview.record_refusals(job, {"F2": REASON}, LINK)
    assert await refusals(storage) == {"C1": (1, ["F2"])}


async def test_file_that_was_added_by_hand_is_not_refused_any_more(storage: SqlStorage) -> None:
    job = await put(storage, "1", "F1", "F2")
    await storage.job_overview.record_refusals(job, {"F1": REASON, "F2": REASON}, LINK)
    await storage.catalogue.create_database(PARTS)
    place = SlackOrigin("F1", "C1", "1")
    await storage.catalogue.add(
        image_record(database=PARTS, data_id=DataId("a"), digest="0" * 64, added_at=job.created_at, origin=place)
    )
    assert await refusals(storage) == {"C1": (1, ["F2"])}


async def test_deletions_leave_nothing_of_a_refused_file(storage: SqlStorage) -> None:
    jobs = [await put(storage, message, f"F{message}", channel=f"C{message}") for message in "1234"]
    for job in jobs:
        await storage.job_overview.record_refusals(job, dict.fromkeys(job.files, REASON), LINK)
    await storage.inbox.withdraw(TEAM, file="F1")
    await storage.inbox.withdraw(TEAM, channel="C2", message="2")
    await storage.inbox.withdraw(TEAM, channel="C3", whole_channel=True)
    # A deletion that arrives before the reason is known.
    await storage.job_overview.record_refusals(jobs[0], {"F1": REASON}, LINK)
    assert await refusals(storage) == {"C4": (1, ["F4"])}
    query = select(inbox_files.c.file).where(inbox_files.c.refusal.is_not(None) | inbox_files.c.permalink.is_not(None))
    rows = await storage._database.read(lambda connection: connection.execute(query).scalars().all())
    assert rows == ["F4"]
    await storage.inbox.finish(jobs[3])
    await storage.inbox.purge(storage.inbox._clock() + timedelta(seconds=1))
    assert await refusals(storage) == {}
