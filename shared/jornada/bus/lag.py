"""How far a service is behind the stream: what `/v1/lag` says and what timers wait for."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from jornada.bus import offsets
from jornada.bus.carrier import Bus, Partition
from jornada.clock import Clock
from jornada.db import Database


class PartitionLag(msgspec.Struct, frozen=True):
    """One partition: the group's position (the next offset to work on) and the log's end."""

    topic: str
    partition: int
    position: int
    end: int


class Lag(msgspec.Struct, frozen=True):
    """`caught_up` only if all that was acked before the question is committed and published and nothing is due.

    `oldest_waiting_seconds` is the age of the oldest record of which not all is told yet: it is still to be worked on,
    what it asked for lies in a queue, or what came of it is unpublished; 0 if there is none.
    `due` counts timers, snapshots and outbox records whose time has come.
    """

    caught_up: bool
    oldest_waiting_seconds: float
    partitions: list[PartitionLag]
    due: int


class LagMeter:
    """Measures one service's lag over all its replicas.

    `queues` are further tables of work to be done: a row has waited `since`, null where it tells of no record.
    `also_due` are tables of work that tells of none.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        group: str,
        topics: Sequence[str],
        clock: Clock,
        queues: Sequence[str] = (),
        also_due: Sequence[str] = (),
    ) -> None:
        self._bus = bus
        self._database = database
        self._group = group
        self._topics = tuple(topics)
        self._clock = clock
        self._queues = ("unpublished", "outbox", *queues)
        self._also_due = tuple(also_due)

    async def read(self) -> Lag:
        """The lag now. Raises BusUnavailable, Unavailable: then nobody knows."""
        partitions = await self.partitions()
        unread = await self._oldest(partitions)
        # Only then the tables: what is read and asks for more meanwhile is still seen as waiting.
        due, queued = await self._due()
        oldest = min((each for each in (unread, queued) if each is not None), default=None)
        waiting = 0.0 if oldest is None else max((self._clock.now() - oldest).total_seconds(), 0.001)
        return Lag(unread is None and due == 0, round(waiting, 3), partitions, due)

    async def folded_until(self) -> datetime:
        """The instant before which everything appended is folded, though it may lie in a queue. Raises as `read`.

        What a service's own timers wait for: who fires one folds what is queued of its subject.
        """
        asked_at = self._clock.now()
        oldest = await self._oldest(await self.partitions())
        return asked_at if oldest is None else min(asked_at, oldest)

    async def partitions(self) -> list[PartitionLag]:
        """Where the group stands, and where the log ends. Raises as `read`."""
        ends = await self._bus.ends(self._topics)
        positions = await self._positions()
        return [
            PartitionLag(partition.topic, partition.number, positions.get(partition, 0), end)
            for partition, end in sorted(ends.items())
        ]

    async def _positions(self) -> dict[Partition, int]:
        """The group's, save where the database was put back and is yet to be fed again."""
        committed = await self._bus.committed(self._group, self._topics)
        async with self._database.transaction() as connection:
            stored = await offsets.load(connection, self._bus.carrier, self._topics)
        return {partition: min(position, stored.get(partition, 0)) for partition, position in committed.items()}

    async def _oldest(self, partitions: Sequence[PartitionLag]) -> datetime | None:
        behind = {
            Partition(each.topic, each.partition): each.position for each in partitions if each.position < each.end
        }
        return await self._bus.oldest(behind) if behind else None

    async def _due(self) -> tuple[int, datetime | None]:
        """How much is due, and since when the oldest of what is queued has waited. One look: it passes from queue to
        queue in one transaction, and must be seen in either.
        """
        counts = "".join(f" + (select count(*) from {table})" for table in (*self._queues, *self._also_due))  # noqa: S608
        oldest = ", ".join(f"(select min(since) from {table})" for table in self._queues)  # noqa: S608 - own names
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            row = await connection.fetchrow(
                f"select (select count(*) from timers where due_at <= $1){counts} as due, least({oldest}) as oldest",  # noqa: S608
                self._clock.now(),
            )
        assert row is not None
        return row["due"], row["oldest"]
