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

    `oldest_waiting_seconds` is the age of the oldest record still to be worked on, 0 if none waits.
    `due` counts timers, snapshots and outbox records whose time has come.
    """

    caught_up: bool
    oldest_waiting_seconds: float
    partitions: list[PartitionLag]
    due: int


class LagMeter:
    """Measures one service's lag over all its replicas. `also_due` are further tables of work to be done."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        group: str,
        topics: Sequence[str],
        clock: Clock,
        also_due: Sequence[str] = (),
    ) -> None:
        self._bus = bus
        self._database = database
        self._group = group
        self._topics = tuple(topics)
        self._clock = clock
        self._also_due = tuple(also_due)

    async def read(self) -> Lag:
        """The lag now. Raises BusUnavailable, Unavailable: then nobody knows."""
        partitions = await self._partitions()
        oldest = await self._oldest(partitions)
        due = await self._due()
        waiting = 0.0 if oldest is None else max((self._clock.now() - oldest).total_seconds(), 0.001)
        return Lag(oldest is None and due == 0, round(waiting, 3), partitions, due)

    async def folded_until(self) -> datetime:
        """The instant before which everything appended is folded and published. Raises as `read`."""
        asked_at = self._clock.now()
        oldest = await self._oldest(await self._partitions())
        return asked_at if oldest is None else min(asked_at, oldest)

    async def _partitions(self) -> list[PartitionLag]:
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

    async def _due(self) -> int:
        further = "".join(f" + (select count(*) from {table})" for table in self._also_due)  # noqa: S608 - own names
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            count: int = await connection.fetchval(
                "select (select count(*) from unpublished) + (select count(*) from outbox)"  # noqa: S608 - own names
                f" + (select count(*) from timers where due_at <= $1){further}",
                self._clock.now(),
            )
        return count
