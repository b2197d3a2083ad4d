"""Brings what was refused from the stream to rest, where its sender can see it; forgets it in time, or with someone."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from jornada.access.store import PostgresAccess
from jornada.bus import dead_letters
from jornada.bus.carrier import Bus, Received
from jornada.bus.dead_letters import Limit
from jornada.bus.erasures import confirmation
from jornada.bus.folds import by_topic
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import ERASURES, REJECTIONS, ErasureAsked, ErasureEvent, Rejection, decode
from jornada.observe import logs
from jornada.pseudonyms import Pseudonyms
from jornada.runtime.rounds import every
from services.ingest import store
from services.ingest.domain.erasure import happened_at
from services.ingest.store import Rejections

_log = logs.get(__name__)

GROUP = "ingest"
TOPICS = (REJECTIONS.name, ERASURES.name)
_EVERY_SECONDS = 300
_AT_ONCE = 500


class Resting:
    """Stores what was refused, but nothing of who was erased; of these it removes what rests, and confirms that."""

    def __init__(self, publisher: Publisher, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._publisher = publisher
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def keep(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Stores the rejections of a batch; they name no subject."""
        kept: list[Rejection] = []
        told: list[Rejection] = [decode(record.value, Rejection) for record in records]
        for workspace in sorted({each.workspace for each in told}):
            theirs = [each for each in told if each.workspace == workspace]
            await store.hold(connection, workspace)
            if await store.any_erased(connection, workspace):
                theirs = [each for each in theirs if not await self._is_erased(connection, each)]
            kept += theirs
        await store.keep(connection, kept)
        return ()

    async def erase(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Removes the rejections and dead letters of those whom erasures name, and confirms."""
        for record in records:
            event: ErasureEvent = decode(record.value, ErasureEvent)
            if isinstance(event, ErasureAsked):
                await store.hold(connection, event.workspace)
                await store.mark(connection, event)
                await self._remove(connection, event)
                confirmed = confirmation(event, GROUP, self._clock.now())
                await self._publisher.hold(connection, event.workspace, [confirmed])
        return ()

    async def _remove(self, connection: Connection, asked: ErasureAsked) -> None:
        workspace, names, after = asked.workspace, frozenset(asked.names), 0
        while piece := await store.piece(connection, workspace, after, _AT_ONCE):
            after = piece[-1].number
            gone = [each.number for each in piece if self._falls(each.rejection, asked, names)]
            await store.remove(connection, workspace, gone)
            await asyncio.sleep(0)

        def naming(_key: bytes, value: bytes) -> bool:
            return not names.isdisjoint(self._pseudonyms.within(workspace, value.decode("utf-8", "replace")))

        await dead_letters.erase(connection, workspace, naming)

    def _falls(self, rejection: Rejection, asked: ErasureAsked, names: Collection[str]) -> bool:
        later = happened_at(rejection) > asked.erased_at and not asked.block
        return not later and not self._pseudonyms.within(asked.workspace, rejection.payload).isdisjoint(names)

    async def _is_erased(self, connection: Connection, rejection: Rejection) -> bool:
        names = self._pseudonyms.within(rejection.workspace, rejection.payload)
        at = happened_at(rejection)
        return any(
            mark.block or at <= mark.erased_at for mark in await store.marks(connection, rejection.workspace, names)
        )


def worker(bus: Bus, database: Database, publisher: Publisher, pseudonyms: Pseudonyms, clock: Clock) -> Worker:
    """The worker, wired."""
    resting = Resting(publisher, pseudonyms, clock)
    return Worker(
        GROUP,
        TOPICS,
        bus=bus,
        database=database,
        publisher=publisher,
        fold=by_topic({REJECTIONS.name: resting.keep, ERASURES.name: resting.erase}),
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
        await every(_EVERY_SECONDS, self.forget, _log, "retention.waiting")

    async def forget(self) -> int:
        """Deletes what is due, in small transactions; returns how many. Raises Unavailable, Conflict."""
        before = self._clock.now() - self._age
        forgotten = 0
        for workspace in await self._access.workspaces():
            while (gone := await self._rejections.forget(workspace.id, before, self._kept, _AT_ONCE)) > 0:
                forgotten += gone
        return forgotten
