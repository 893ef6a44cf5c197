"""Shares in the inbox, for its tests."""

from __future__ import annotations

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind, NewJob
from bot.storage.inbox.inbox import SqlInbox

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
LEASE_S = 15.0


def share(number: int = 1, *files: str, workspace: WorkspaceId = TEAM) -> NewJob:
    return NewJob(
        kind=JobKind.SHARE,
        workspace=workspace,
        enterprise="E1",
        channel="C1",
        message=f"1700000000.{number:06d}",
        files=files or (f"F{number}",),
        payload=f'{{"number": {number}, "text": "🔧"}}',
    )


async def only(inbox: SqlInbox, owner: str = "one") -> Job:
    (claimed,) = await inbox.claim(owner, 10, LEASE_S)
    job = await inbox.begin(claimed)
    assert job is not None
    return job
