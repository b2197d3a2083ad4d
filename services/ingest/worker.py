"""Brings what was refused from the stream to rest, where its sender can see it, and forgets it in time."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus, Received
from jornada.bus.dead_letters import Limit
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import REJECTIONS, Rejection, decode
from jornada.observe import logs
from services.ingest import store
from services.ingest.store import Rejections

_log = logs.get(__name__)

GROUP = "ingest"
TOPICS = (REJECTIONS.name,)
_EVERY_SECONDS = 300
_AT_ONCE = 500


async def fold(connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
    """Stores the rejections of a batch; they name no subject."""
    await store.keep(connection, [decode(record.value, Rejection) for record in records])
    return ()


def worker(bus: Bus, database: Database, clock: Clock) -> Worker:
    """The worker, wired."""
    publisher = Publisher(database, bus)
    return Worker(
        GROUP,
        TOPICS,
        bus=bus,
        database=database,
        publisher=publisher,
        fold=fold,
        clock=clock,
        # The topic remembers for hours. A longer outage of Postgres must not close the door to events.
        limit=Limit(skips_gaps=True),
    )


class Retention:
    """Forgets rejections that are older than `days`, and those beyond the newest `kept` of a workspace.

    Any number of replicas may run it: what one deletes the other finds gone.
    """

    def __init__(self, database: Database, clock: Clock, *, days: int, kept: int) -> None:
        self._access = PostgresAccess(database)
        self._rejections = Rejections(database)
        self._clock = clock
        self._age = timedelta(days=days)
        self._kept = kept

    async def run(self) -> None:
        """Forgets every five minutes, for ever."""
        while True:
            try:
                await self.forget()
            except (Unavailable, Conflict) as error:
                _log.warning("retention.waiting", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def forget(self) -> int:
        """Deletes what is due, in small transactions; returns how many. Raises Unavailable, Conflict."""
        before = self._clock.now() - self._age
        forgotten = 0
        for workspace in await self._access.workspaces():
            while (gone := await self._rejections.forget(workspace.id, before, self._kept, _AT_ONCE)) > 0:
                forgotten += gone
        return forgotten
