"""After a raised fold: every journey of an older one is asked for, a part at a time, for the refolder to tell again."""

from uuid import UUID

from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from services.journey.store import accounts, subjects

MOST = 2_000
REST_SECONDS = 60.0
_START = (0, UUID(int=0))


class Backfill:
    """Walks through the workspaces that have journeys of an older fold.

    How far it is stands in the rows themselves: begun anew it asks only for what is still to be told. A release before
    this one may add some while it still runs, so once through it looks again every minute.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._workspaces: list[WorkspaceId] = []
        self._after = _START
        self._rests_until = clock.monotonic()

    async def ask(self) -> int:
        """Asks for the next ones, at most 2,000 of one workspace; returns how many. Raises Unavailable, Conflict."""
        if not self._workspaces:
            if self._clock.monotonic() < self._rests_until:
                return 0
            self._workspaces = await self._behind()
        while self._workspaces:
            asked = await self._ask(self._workspaces[-1])
            if asked:
                return asked
            self._workspaces.pop()
        self._rests_until = self._clock.monotonic() + REST_SECONDS
        return 0

    async def _behind(self) -> list[WorkspaceId]:
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            return await subjects.workspaces_behind(connection)

    async def _ask(self, workspace: WorkspaceId) -> int:
        async with self._database.transaction([workspace]) as connection:
            older = await subjects.behind(connection, workspace, self._after, MOST)
            if older:
                await accounts.enqueue(connection, workspace, [subject for _, subject in older])
        self._after = older[-1] if older else _START
        return len(older)
