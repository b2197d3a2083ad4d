"""Shows verdicts as they come to whoever watches this process: never more than a watcher can take."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Literal

import msgspec

from jornada.events import WorkspaceId

_WAITING = 1_000
_WATCHERS_MAX = 200

Status = Literal["accepted", "duplicate", "rejected"]


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One verdict. The person is shown to those who may read payloads."""

    received_at: datetime
    source: str
    message_id: str | None
    status: Status
    type: str | None = None
    event: str | None = None
    code: str | None = None
    message: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None


class Watcher:
    """One stream's queue of the verdicts it wants; what does not fit is dropped and counted."""

    def __init__(self, source: str | None = None, status: Status | None = None) -> None:
        self.queue: asyncio.Queue[Shown] = asyncio.Queue(_WAITING)
        self.dropped = 0
        self._source = source
        self._status = status

    def offer(self, shown: Shown) -> None:
        """Queues a verdict that is wanted, or counts it as dropped."""
        if self._source not in {None, shown.source} or self._status not in {None, shown.status}:
            return
        try:
            self.queue.put_nowait(shown)
        except asyncio.QueueFull:
            self.dropped += 1


class Live:
    """Who watches which workspace."""

    def __init__(self) -> None:
        self._watchers: dict[WorkspaceId, set[Watcher]] = {}

    @property
    def full(self) -> bool:
        """Whether as many watch as may."""
        return sum(map(len, self._watchers.values())) >= _WATCHERS_MAX

    def watched(self, workspace: WorkspaceId) -> bool:
        """Whether anybody looks."""
        return workspace in self._watchers

    def show(self, workspace: WorkspaceId, verdicts: Sequence[Shown]) -> None:
        """Shows verdicts to all who watch the workspace."""
        for watcher in self._watchers.get(workspace, ()):
            for shown in verdicts:
                watcher.offer(shown)

    @contextmanager
    def watch(
        self, workspace: WorkspaceId, source: str | None = None, status: Status | None = None
    ) -> Iterator[Watcher]:
        """A watcher of a workspace, of one source or status if asked, for as long as the block lasts."""
        watcher = Watcher(source, status)
        self._watchers.setdefault(workspace, set()).add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[workspace].discard(watcher)
            if not self._watchers[workspace]:
                del self._watchers[workspace]
