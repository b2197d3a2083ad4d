"""The stream in Postgres, for one process: a laptop, a small shop, a test."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic

from jornada.bus.backlog import Backlog, Call, Calls, Portion, measured
from jornada.bus.carrier import BusUnavailable, Consumer, Partition, Positions, Record, Then, Tombstone
from jornada.bus.embedded_consumer import EmbeddedConsumer, Group
from jornada.bus.embedded_log import PostgresLog, Span
from jornada.bus.embedded_owner import LogHeld, Ownership
from jornada.db import Database
from jornada.events.catalogue import TOPICS

__all__ = ["EmbeddedBus", "LogHeld"]

_QUEUE_BYTES = 32 * 1024 * 1024
_GROUP_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)


class EmbeddedBus:
    """See `carrier.Bus`. `database` acts as the service `bus`, is started and stopped by whoever made it."""

    carrier = "embedded"

    def __init__(self, database: Database, *, tidy_every: float = 600.0) -> None:
        """`tidy_every`: seconds between two rounds of retention and compaction."""
        self._ownership = Ownership(database.url)
        self.log = PostgresLog(database, self._ownership)
        self.changed = asyncio.Event()
        self.spans: dict[Partition, Span] = {}
        self._tidy_every = tidy_every
        self._backlog = Backlog(_QUEUE_BYTES)
        self._calls = Calls()
        self._groups: dict[str, Group] = {}
        self._claiming = asyncio.Lock()
        self._in_doubt = True
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Takes the log over; raises LogHeld where another process has it, BusUnavailable where Postgres is away."""
        self._run()
        await self.ready()

    async def stop(self) -> None:
        """Gives the log up; what is queued fails."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=3)
        self._backlog.fail_all(BusUnavailable("the bus was stopped"))
        await self._ownership.release()

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        """Returns once the transaction that holds every record is committed."""
        if not records:
            return
        call, portion = self._begun(records, deadline)
        await self._backlog.put_patiently(portion)
        await self._calls.settled(call)

    def submit(self, records: Sequence[Record], deadline: float, then: Then) -> bool:
        """As `publish`, for who goes on meanwhile."""
        if not records:
            return False
        call, portion = self._begun(records, deadline)
        if not self._backlog.put(portion):
            return False
        call.tell(then)
        self._calls.watch(call)
        return True

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        """Returns once the transaction that holds every tombstone is committed."""
        if not tombstones:
            return
        try:
            async with asyncio.timeout(deadline):
                await self._append(tombstones)
        except (TimeoutError, BusUnavailable) as error:
            self._in_doubt = True
            raise BusUnavailable(f"the tombstones may be stored: {error or 'no commit in time'}") from error
        self.wake()

    def consumer(self, group: str, topics: Sequence[str], positions: Positions) -> Consumer:
        """A new member of `group`, not yet started."""
        return EmbeddedConsumer(self, self._groups.setdefault(group, Group(group)), topics, positions)

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """Raises BusUnavailable."""
        return {partition: span.end for partition, span in (await self.log.spans(topics)).items()}

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        """Raises BusUnavailable."""
        return await self.log.committed(group, topics)

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        """By Postgres's clock. Raises BusUnavailable."""
        return await self.log.oldest(positions)

    async def tidy(self) -> None:
        """One round of retention and compaction; raises BusUnavailable."""
        for topic in TOPICS.values():
            await self.log.tidy(topic)
        await self._learn()

    async def ready(self) -> None:
        """Makes sure that the log is ours and its ends are known."""
        if self._ownership.epoch is not None and not self._in_doubt:
            return
        async with self._claiming:
            if self._ownership.epoch is None:
                await self._ownership.claim()
                await self.log.ensure_topics()
                self.spans = {}
                self._in_doubt = True
            if self._in_doubt:
                await self._learn()
                self._in_doubt = False
                self.wake()

    def wake(self) -> None:
        """Lets every waiting poll look again."""
        awaited, self.changed = self.changed, asyncio.Event()
        awaited.set()

    async def _learn(self) -> None:
        """Reads what the partitions hold; an append that was committed meanwhile knows its end better."""
        for partition, span in (await self.log.spans(tuple(TOPICS))).items():
            known = self.spans.get(partition, span)
            self.spans[partition] = Span(span.beginning, max(span.end, known.end))

    def _begun(self, records: Sequence[Record], deadline: float) -> tuple[Call, Portion]:
        self._run()
        records = list(records)
        call = Call(monotonic() + deadline, portions=1)
        return call, Portion([call], records, measured(records))

    def _run(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._keep_tidy())]

    async def _write(self) -> None:
        while True:
            portions = await self._backlog.take(_GROUP_BYTES)
            try:
                await self._store(portions)
            except asyncio.CancelledError:
                _fail(portions, BusUnavailable("the bus was stopped"))
                raise
            except Exception as error:
                # The writer must live on: whatever went wrong is the callers' to hear. A commit that was cut off may
                # have stored its records, so that the ends are read again.
                self._in_doubt = True
                _fail(portions, error)
                self.wake()

    async def _store(self, portions: Sequence[Portion]) -> None:
        await self._append([record for portion in portions for record in portion.records])
        for portion in portions:
            portion.stored()
        self.wake()

    async def _append(self, records: Sequence[Record | Tombstone]) -> None:
        await self.ready()
        for partition, end in (await self.log.append(records)).items():
            known = self.spans[partition]
            self.spans[partition] = Span(known.beginning, max(known.end, end))

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(self._tidy_every)
            try:
                await self.ready()
                await self.tidy()
            except BusUnavailable as error:
                _log.warning("the embedded log was not tidied: %s", error)


def _fail(portions: Sequence[Portion], error: Exception) -> None:
    for portion in portions:
        portion.fail(error)
