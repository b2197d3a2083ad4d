"""After newer rules, another profile or a new component: whoever was scored without is scored again, in parts."""

from uuid import UUID

from jornada.bus.timers import Timer
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.observe import logs
from jornada.runtime.rounds import every
from services.scoring.store import facts, subjects
from services.scoring.store.facts import RESCORE

_log = logs.get(__name__)

MOST = 2_000
REST_SECONDS = 5.0
_START = ("", UUID(int=0))


class Rescoring:
    """Sets timers for whoever was scored by something else than holds now.

    How far it is stands in the rows themselves: who was scored anew meanwhile is not asked for. A batch that began
    before a change may end after it, so once through it looks again every five seconds.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._workspaces: list[WorkspaceId] = []
        self._after = _START
        self._rests_until = clock.monotonic()

    async def run(self) -> None:
        """Asks for some once a second, for ever."""
        await every(1, self.ask, _log, "rescoring.waiting")

    async def ask(self) -> int:
        """Sets timers, due now, at most 2,000 of one workspace; returns how many. Raises Unavailable, Conflict."""
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
            others = await subjects.behind(connection, workspace, self._after, MOST)
            now = self._clock.now()
            await facts.put_missing(connection, [Timer(workspace, id_, RESCORE, now) for _, id_ in others])
        self._after = others[-1] if others else _START
        return len(others)
