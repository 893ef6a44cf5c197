"""Memory budget of downloads and decoders: bounded, and shared fairly between workspaces."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from bot.domain.errors import FetchFailed
from bot.domain.identifiers import LOCAL_WORKSPACE

MAX_WAITING = 1000
"""Requests that may wait for memory at the same time. Further requests fail at once."""

MAX_WAIT_S = 90.0

_BUSY = "Too many pictures arrived at once. Try again in a minute."

_workspace: ContextVar[str] = ContextVar("workspace", default=LOCAL_WORKSPACE)
_isolated: ContextVar[bool] = ContextVar("isolated", default=False)


@contextmanager
def on_behalf_of(workspace: str, *, isolated: bool = False) -> Iterator[None]:
    """Count the memory that is reserved inside this context, tasks included, as the workspace's.

    ``isolated``: decode in decoder processes only, since the process may have died of one of the pictures before.
    """
    tokens = _workspace.set(workspace), _isolated.set(isolated or _isolated.get())
    try:
        yield
    finally:
        _workspace.reset(tokens[0])
        _isolated.reset(tokens[1])


def must_isolate() -> bool:
    """Return whether pictures are to be decoded in decoder processes only."""
    return _isolated.get()


@dataclass(slots=True, eq=False)
class Reservation:
    """What is taken from a budget."""

    budget: FairBudget
    workspace: str
    size: int

    def shrink(self, size: int) -> None:
        """Give back what exceeds ``size``."""
        self.budget.resize(self, min(size, self.size))


@dataclass(slots=True, eq=False)
class _Waiter:
    reservation: Reservation
    granted: asyncio.Future[None]


class FairBudget:
    """Something limited, such as bytes of memory, that waiting workspaces get in turn.

    Args:
        total: The budget.
        max_share: Share of the budget that one workspace may hold, so that its slow downloads can't block the others.
            A workspace that holds nothing gets its first reservation whatever its size.
        max_holders: Reservations that may exist at the same time.
        max_waiting: Requests that may wait.
        max_wait_s: How long a request waits, in seconds; None for as long as it takes.
    """

    def __init__(
        self,
        total: int,
        *,
        max_share: float = 1.0,
        max_holders: int | None = None,
        max_waiting: int = MAX_WAITING,
        max_wait_s: float | None = MAX_WAIT_S,
    ) -> None:
        self.total = total
        self._max_held = int(total * max_share)
        self._max_holders = max_holders
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._used = 0
        self._holders = 0
        self._held: dict[str, int] = {}
        # Insertion order is the order of turns. A workspace that was served goes to the end.
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    @property
    def used(self) -> int:
        """How much is reserved now."""
        return self._used

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[Reservation]:
        """Hold ``size``, or the whole budget if that is less. Raises FetchFailed if it isn't free in time."""
        reservation = await self.acquire(size)
        try:
            yield reservation
        finally:
            self.release(reservation)

    async def acquire(self, size: int) -> Reservation:
        """Wait for ``size`` and take it. The caller releases it. Raises FetchFailed."""
        reservation = Reservation(self, _workspace.get(), min(size, self.total))
        if not self._queues and self._fits(reservation):
            self._take(reservation)
            return reservation
        if self.waiting >= self._max_waiting:
            raise FetchFailed(_BUSY)
        waiter = _Waiter(reservation, asyncio.get_running_loop().create_future())
        self._queues.setdefault(reservation.workspace, deque()).append(waiter)
        self._grant()
        try:
            async with asyncio.timeout(self._max_wait_s):
                await waiter.granted
        except BaseException as error:
            self._withdraw(waiter)
            if isinstance(error, TimeoutError):
                raise FetchFailed(_BUSY) from None
            raise
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back."""
        self.resize(reservation, 0)
        self._holders -= 1
        if not self._held[reservation.workspace]:
            del self._held[reservation.workspace]
        self._grant()

    def resize(self, reservation: Reservation, size: int) -> None:
        """Change the size of a reservation to a smaller one."""
        freed = reservation.size - size
        reservation.size = size
        self._used -= freed
        self._held[reservation.workspace] -= freed
        self._grant()

    def _withdraw(self, waiter: _Waiter) -> None:
        """Remove a waiter that gave up, or release what it was granted at the same moment."""
        if waiter.granted.done() and not waiter.granted.cancelled():
            self.release(waiter.reservation)
            return
        workspace = waiter.reservation.workspace
        queue = self._queues.get(workspace)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._queues[workspace]
        self._grant()

    def _grant(self) -> None:
        """Serve the waiting workspaces in turn, as long as there is memory for the one whose turn it is."""
        while any(self._may_hold(queue[0].reservation) for queue in self._queues.values()):
            for workspace in tuple(self._queues):
                if not self._serve(workspace):
                    return

    def _serve(self, workspace: str) -> bool:
        """Serve one request of a workspace. Return False if everybody must wait until memory is released."""
        queue = self._queues[workspace]
        reservation = queue[0].reservation
        if not self._may_hold(reservation):
            return True  # it must wait for its own earlier requests, but the others needn't
        if not self._fits(reservation):
            # Nobody overtakes a large request: a stream of small ones would starve it.
            return False
        waiter = queue.popleft()
        self._queues.move_to_end(workspace)
        if not queue:
            del self._queues[workspace]
        if not waiter.granted.done():
            self._take(reservation)
            waiter.granted.set_result(None)
        return True

    def _may_hold(self, reservation: Reservation) -> bool:
        held = self._held.get(reservation.workspace, 0)
        return not held or held + reservation.size <= self._max_held

    def _fits(self, reservation: Reservation) -> bool:
        return (
            self._may_hold(reservation)
            and self._used + reservation.size <= self.total
            and (self._max_holders is None or self._holders < self._max_holders)
        )

    def _take(self, reservation: Reservation) -> None:
        self._used += reservation.size
        self._holders += 1
        self._held[reservation.workspace] = self._held.get(reservation.workspace, 0) + reservation.size


_downloading: ContextVar[Reservation | None] = ContextVar("downloading", default=None)


class DownloadMemory:
    """Memory for the files that are being downloaded, or were and wait to be decoded.

    A download takes the largest possible size before its first byte, and gives back the rest when the server has said
    how long the file is.
    """

    MAX_SHARE = 0.75

    def __init__(self, total: int, max_bytes: int) -> None:
        self._budget = FairBudget(total, max_share=self.MAX_SHARE)
        self._max_bytes = max_bytes

    @property
    def used(self) -> int:
        """Bytes that are reserved now."""
        return self._budget.used

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold memory for one file: enter before the download, and leave when the file is decoded.

        Raises FetchFailed if there is none in time.
        """
        async with self._budget.reserve(self._max_bytes) as reservation:
            token = _downloading.set(reservation)
            try:
                yield
            finally:
                _downloading.reset(token)


def expect_bytes(length: int) -> None:
    """Give back what the download in progress has reserved beyond ``length``."""
    reservation = _downloading.get()
    if reservation is not None:
        reservation.shrink(length)
