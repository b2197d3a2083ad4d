"""Notices when the past of many comes in, and sums up what it brought once it is over and scored."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.observe import logs
from jornada.runtime.rounds import every
from services.scoring.store import imports

_log = logs.get(__name__)

QUIET = timedelta(minutes=5)
"""For how long the past of only few must have come for an import to be over."""
EVERY_SECONDS = 30.0
_EVER = datetime.min.replace(tzinfo=UTC)


class Importing:
    """Looks at what came in twice a minute, as far as it is scored; any number of processes may."""

    def __init__(self, database: Database, scored_until: Callable[[], Awaitable[datetime]]) -> None:
        self._database = database
        self._scored_until = scored_until

    async def run(self) -> None:
        """Looks, for ever."""
        await every(EVERY_SECONDS, self.look, _log, "importing.waiting")

    async def look(self) -> None:
        """Looks once at every workspace. Raises Unavailable, Conflict."""
        until = await self._scored_until()
        begin = until - min(QUIET, until - _EVER)
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            concerned = await imports.concerned(connection, begin, until)
        for workspace in concerned:
            await self._look(workspace, begin, until)

    async def _look(self, workspace: WorkspaceId, begin: datetime, until: datetime) -> None:
        async with self._database.transaction([workspace]) as connection:
            arriving = await imports.arriving(connection, workspace, begin, until)
            running = await imports.running(connection, workspace)
            if running is None and arriving:
                await imports.begin(connection, workspace, begin)
            if running is not None and not arriving:
                await imports.end(connection, workspace, running, until)
                _log.info("importing.over", workspace=str(workspace))
