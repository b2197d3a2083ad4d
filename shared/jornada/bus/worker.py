"""The way of a batch: one transaction, then publish, then acknowledge. A crash repeats work and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from jornada import crashpoints
from jornada.bus import dead_letters, offsets
from jornada.bus.carrier import Assigned, Bus, BusUnavailable, Consumer, LogTruncated, Partition, Received
from jornada.bus.dead_letters import DeadLetter, Limit
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.db.since import tell_since
from jornada.events import Undecodable
from jornada.observe import logs, metrics

_log = logs.get(__name__)

SESSION_SECONDS = 15.0
STUCK_SECONDS = 60.0
LOOK_BACK_SECONDS = 5.0
"""How often an idle worker asks whether the database still knows what it stored."""

_ATTEMPTS = 3
_T = TypeVar("_T")


class Outdated(Exception):
    """The stored state was made by a newer release than this one: no record is to blame, and repeating cannot help."""


class WentBack(Exception):
    """The database no longer knows what this worker stored in it: it was put back, and must be fed again."""


class Refused(Exception):
    """The record can never be folded, for the reason given; it is dead-lettered at once."""


class Fold(Protocol):
    """What a service does with records."""

    async def __call__(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Applies the records, in order, within the transaction (which sees their workspaces only); no tombstones.

        Returns the subjects that they name, changed or not: a record read a second time publishes again
        what is stored. Raises Refused or Undecodable for a record that can never work.
        Called again with the same records after a roll-back; so it keeps nothing outside the transaction.
        """


class Worker:
    """Reads topics as one member of a group and folds what it reads. Where the database is put back while it runs, it
    reads again from where that stands.

    `batch` is the most records of one transaction. `limit` stops it when too much fails, or when the log no longer
    holds what it must read on from: then `run` raises and the service turns unready for good.
    """

    def __init__(
        self,
        group: str,
        topics: Sequence[str],
        *,
        bus: Bus,
        database: Database,
        publisher: Publisher,
        fold: Fold,
        clock: Clock,
        batch: int = 2_000,
        limit: Limit | None = None,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self._bus = bus
        self._database = database
        self._publisher = publisher
        self._fold = fold
        self._clock = clock
        self._batch = batch
        self._limit = limit or Limit()
        self._polled_at = clock.monotonic()
        self._busy_since: float | None = None
        self._stored: dict[Partition, int] = {}
        self._again: dict[Partition, int] = {}
        self._looked_back_at = self._polled_at
        self._stopping = False

    def stuck_seconds(self) -> float:
        """For how long the batch in hand has made no progress; 0 while none is in hand."""
        return 0.0 if self._busy_since is None else self._clock.monotonic() - self._busy_since

    def stop(self) -> None:
        """Lets `run` end after the batch in hand."""
        self._stopping = True

    async def run(self) -> None:
        """Works until stopped. Raises LogTruncated, TooManyDeadLetters, Outdated."""
        while True:
            try:
                await self._consume()
                return
            except LogTruncated as gap:
                if not self._limit.skips_gaps:
                    raise
                _log.error("log.gap", group=self.group, error=str(gap))
            except WentBack:
                # A new consumer asks for its positions anew, and finds them lower than the group's.
                self._busy_since = None

    async def _consume(self) -> None:
        consumer = self._bus.consumer(self.group, self.topics, self._positions)
        try:
            await self._patiently(consumer.start)
            while not self._stopping:
                await self._step(consumer)
        finally:
            await consumer.stop()

    async def replay(self, letter: DeadLetter) -> None:
        """Folds a dead letter again and marks it replayed; twice equals once. Raises what the fold raises."""
        subjects = await self._transact([letter.record], position=False, replayed=letter)
        crashpoints.reached(crashpoints.COMMITTED)
        await self._publish(subjects, [letter.record])
        crashpoints.reached(crashpoints.PUBLISHED)

    async def _step(self, consumer: Consumer) -> None:
        try:
            records = await consumer.poll(self._batch, 0.5)
            self._polled_at = self._clock.monotonic()
            if not records:
                await self._look_back()
        except (BusUnavailable, Unavailable, Conflict) as error:
            # Postgres is asked too, where to start, and may be away for as long as Kafka may.
            _log.warning("poll.waiting", group=self.group, error=str(error))
            await asyncio.sleep(0.5)
            return
        if not records:
            return
        if not await self._stand_lower(consumer):
            self._drop(consumer, records)
            return
        self._busy_since = self._polled_at
        try:
            await self._work(consumer, records)
        finally:
            self._busy_since = None

    async def _stand_lower(self, consumer: Consumer) -> bool:
        """Has the group stand where a database that went back is fed again from; whether it does.

        What is folded from there on would else count as acknowledged before it is published.
        """
        try:
            if self._again and not await consumer.commit(self._again):
                return False
        except BusUnavailable:
            return False
        self._again = {}
        return True

    async def _work(self, consumer: Consumer, records: Sequence[Received]) -> None:
        subjects = await self._folded(records)
        crashpoints.reached(crashpoints.COMMITTED)
        if self._clock.monotonic() - self._polled_at > SESSION_SECONDS:
            self._drop(consumer, records)
            return
        await self._patiently(lambda: self._publish(subjects, records))
        crashpoints.reached(crashpoints.PUBLISHED)
        try:
            kept = await consumer.commit(offsets.following(records))
        except BusUnavailable:
            kept = False
        if not kept:
            _log.warning("commit.refused", group=self.group, records=len(records))
            self._drop(consumer, records)
        metrics.FOLDED.labels(self.group).inc(len(records))

    def _drop(self, consumer: Consumer, records: Sequence[Received]) -> None:
        """Reads the batch again where the partition is still ours; whoever has it otherwise does."""
        first: dict[Partition, int] = {}
        for record in records:
            first.setdefault(Partition(record.topic, record.partition), record.offset)
        for partition, offset in first.items():
            consumer.seek(partition, offset)

    async def _folded(self, records: Sequence[Received]) -> set[Subject]:
        """Folds and commits, halving a batch that fails down to the record that does."""
        failures = conflicts = 0
        while True:
            try:
                subjects = await self._transact(records)
            except Conflict:
                conflicts += 1
                if conflicts >= _ATTEMPTS and len(records) > 1:
                    return await self._one_by_one(records)
                await asyncio.sleep(0.01 * conflicts)
            except Unavailable as error:
                await self._wait("fold.waiting", error)
            except (Outdated, WentBack):
                raise
            except Exception as error:
                failures += 1
                if len(records) > 1:
                    half = len(records) // 2
                    return await self._folded(records[:half]) | await self._folded(records[half:])
                if isinstance(error, Refused | Undecodable) or failures >= _ATTEMPTS:
                    return await self._bury(records[0], error)
                _log.warning("fold.failed", group=self.group, error=type(error).__name__, exc_info=True)
            else:
                for _ in records:
                    self._limit.count(dead=False)
                return subjects

    async def _one_by_one(self, records: Sequence[Received]) -> set[Subject]:
        subjects: set[Subject] = set()
        for record in records:
            subjects |= await self._folded([record])
        return subjects

    async def _bury(self, record: Received, error: Exception) -> set[Subject]:
        reason = str(error) if isinstance(error, Refused | Undecodable) else type(error).__name__
        self._limit.count(dead=True)
        _log.error(
            "record.dead", group=self.group, topic=record.topic, partition=record.partition, offset=record.offset
        )
        metrics.DEAD.labels(self.group).inc()

        async def kept() -> None:
            async with self._database.transaction([dead_letters.home_of(record)]) as connection:
                await dead_letters.bury(connection, self._bus.carrier, record, reason[:500], repr(error))
                await self._store(connection, [record])

        await self._patiently(kept)
        self._stored |= offsets.following([record])
        return set()

    async def _transact(
        self, records: Sequence[Received], *, position: bool = True, replayed: DeadLetter | None = None
    ) -> set[Subject]:
        told = [record for record in records if record.value is not None]
        workspaces = {dead_letters.home_of(record) for record in told}
        async with self._database.transaction(workspaces) as connection:
            if replayed is None and told:
                await tell_since(connection, min(record.appended_at for record in told))
            subjects = set(await self._fold(connection, told)) if told else set()
            if position:
                await self._store(connection, records)
            if replayed is not None:
                # No record will name these subjects again, should the process die before it has published them.
                await self._publisher.mark_stored(connection, subjects)
                await dead_letters.mark_replayed(connection, replayed)
            crashpoints.reached(crashpoints.FOLDED)
        if position:
            self._stored |= offsets.following(records)
        return subjects

    async def _store(self, connection: Connection, records: Sequence[Received]) -> None:
        await self._check(connection)
        await offsets.store(connection, self._bus.carrier, offsets.following(records))

    async def _check(self, connection: Connection) -> None:
        """Raises WentBack where a position is lower than this worker stored it; it was told so, and positions grow.

        Going on from here would leave out what was folded in the time that the database has lost.
        """
        known = await offsets.load(connection, self._bus.carrier, self.topics)
        if any(known.get(partition, 0) < position for partition, position in self._stored.items()):
            raise WentBack

    async def _look_back(self) -> None:
        """Where nothing comes nothing else would tell that the database was put back."""
        if self._polled_at - self._looked_back_at >= LOOK_BACK_SECONDS:
            self._looked_back_at = self._polled_at
            async with self._database.transaction() as connection:
                await self._check(connection)

    async def _publish(self, subjects: Collection[Subject], records: Sequence[Received]) -> None:
        await self._publisher.publish(subjects)
        await self._publisher.drain({dead_letters.home_of(each) for each in records if each.value is not None})

    async def _positions(self, assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
        """Starts from the lower of the stored and the group's position: a Postgres that went back is fed again."""
        async with self._database.transaction() as connection:
            stored = await offsets.load(connection, self._bus.carrier, self.topics)
            self._again = {
                partition: max(stored.get(partition, known.beginning), known.beginning)
                for partition, known in assigned.items()
                if known.committed is not None and stored.get(partition, known.beginning) < known.committed
            }
            if self._again:
                epoch = await offsets.raise_epoch(connection, self._clock.now())
                _log.error("database.went_back", group=self.group, epoch=epoch)
        self._stored = dict(stored)
        return {partition: self._start(partition, known, stored) for partition, known in assigned.items()}

    def _start(self, partition: Partition, known: Assigned, stored: Mapping[Partition, int]) -> int:
        try:
            return _start(partition, known, stored.get(partition))
        except LogTruncated as gap:
            if not self._limit.skips_gaps:
                raise
            _log.error("log.gap", group=self.group, error=str(gap))
            return known.beginning

    async def _patiently(self, act: Callable[[], Awaitable[_T]]) -> _T:
        """Repeats what a passing fault stops, until it passes."""
        while True:
            try:
                return await act()
            except (BusUnavailable, Unavailable, Conflict) as error:
                await self._wait("worker.waiting", error)

    async def _wait(self, event: str, error: Exception) -> None:
        """Waits out a passing fault, which is no standstill of ours."""
        _log.warning(event, group=self.group, error=str(error))
        await asyncio.sleep(0.5)
        if self._busy_since is not None:
            self._busy_since = self._clock.monotonic()


def _start(partition: Partition, known: Assigned, stored: int | None) -> int:
    positions = [position for position in (stored, known.committed) if position is not None]
    if not positions:
        return known.beginning
    start = min(positions) if stored is not None else known.beginning
    if start < known.beginning:
        raise LogTruncated(
            f"{partition.topic}/{partition.number}: {start} is gone, the log begins at {known.beginning}"
        )
    if start > known.end:
        raise LogTruncated(
            f"{partition.topic}/{partition.number}: {start} lies beyond the end {known.end}: another log"
        )
    # Of what was stored and never acknowledged nobody knows whether it was published: it is published again.
    return known.beginning if known.committed is None else start
