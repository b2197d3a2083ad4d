"""Counts what sources send as it is folded, and drops the counts of hours long past."""

from datetime import timedelta

from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import WorkspaceId
from jornada.observe import logs
from jornada.pseudonyms import Pseudonyms
from jornada.runtime.rounds import every
from services.journey.domain.volumes import counted
from services.journey.store import volumes
from services.journey.worker.attribution import Attribution

_log = logs.get(__name__)

KEPT = timedelta(days=35)
"""Five weeks: what an hour is held against is the same hour of four weeks before it, and a week may be told late."""
_EVERY_SECONDS = 3_600.0


async def count(
    connection: Connection, workspace: WorkspaceId, lane: int, pseudonyms: Pseudonyms, told: Attribution
) -> None:
    """Counts the new touchpoints of a batch in its transaction, each once however often its record is read."""
    whose = ((told.customer_of[owner], reading) for owner, reading in told.owned)
    found = counted(whose, pseudonyms.within_hour)
    if found:
        await volumes.add(connection, workspace, lane, found)


class PastVolumes:
    """Drops what was counted more than five weeks ago."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Looks once an hour, for ever."""
        await every(_EVERY_SECONDS, self.work, _log, "volumes.waiting")

    async def work(self) -> None:
        """Drops them, a workspace at a time. Raises Unavailable, Conflict."""
        before = self._clock.now() - KEPT
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            old = await volumes.older(connection, before)
        for workspace in old:
            async with self._database.transaction([workspace]) as connection:
                await volumes.drop(connection, workspace, before)
