"""Knows how far each workspace's alerts have come, so that a live stream asks for more only when there is more."""

import asyncio

from jornada.db import Database, Unavailable
from jornada.events import WorkspaceId
from jornada.observe import logs
from services.notify.dispatch.waking import Bell
from services.notify.store import alerts

_log = logs.get(__name__)

LOOK_SECONDS = 0.5


class Feed:
    """The last place of every workspace's alerts, looked up when the bell rings and twice a second."""

    def __init__(self, database: Database) -> None:
        self.bell = Bell()
        self._database = database
        self._places: dict[WorkspaceId, int] = {}
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Looks, for ever."""
        while True:
            try:
                self._see(await alerts.places(self._database))
            except Unavailable as error:
                _log.warning("feed.waiting", error=str(error))
            await self.bell.wait(LOOK_SECONDS)

    async def beyond(self, workspace: WorkspaceId, place: int, seconds: float) -> bool:
        """Whether there are alerts after that place, waiting for one at most so long."""
        try:
            async with asyncio.timeout(seconds):
                while self._places.get(workspace, 0) <= place:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _see(self, places: dict[WorkspaceId, int]) -> None:
        if places != self._places:
            self._places = places
            self._moved.set()
            self._moved = asyncio.Event()
