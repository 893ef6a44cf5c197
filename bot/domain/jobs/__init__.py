"""Values of background work: the inbox and imports of channels' histories."""

from __future__ import annotations

from bot.domain.jobs.histories import (
    NOTICE_BEGUN,
    HistoryImport,
    HistoryPage,
    HistoryStatus,
    NewHistoryImport,
    PastCounts,
    PastMessage,
)
from bot.domain.jobs.inbox import (
    ANY,
    UNKNOWN_TIME,
    UNLIMITED,
    ChannelJobs,
    InboxDepth,
    Job,
    JobKind,
    LaneRoom,
    NewJob,
    OpenObligations,
    StoredShare,
    Unsharing,
    WorkerRoom,
    WorkspaceJobs,
    deletion_key,
    time_of_message,
)

__all__ = [
    "ANY",
    "NOTICE_BEGUN",
    "UNKNOWN_TIME",
    "UNLIMITED",
    "ChannelJobs",
    "HistoryImport",
    "HistoryPage",
    "HistoryStatus",
    "InboxDepth",
    "Job",
    "JobKind",
    "LaneRoom",
    "NewHistoryImport",
    "NewJob",
    "OpenObligations",
    "PastCounts",
    "PastMessage",
    "StoredShare",
    "Unsharing",
    "WorkerRoom",
    "WorkspaceJobs",
    "deletion_key",
    "time_of_message",
]
