"""The embedded log's SQL: what is appended, read, committed and let go."""

import zlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from jornada.bus.carrier import BusUnavailable, Partition, Received, Record, Tombstone
from jornada.bus.embedded_owner import Ownership
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events.catalogue import TOPICS, Topic

PARTITIONS = 4
_SLICE = 10_000
_HEADERS = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...])

# The counter rows stay locked until the commit: a reader never sees an offset while a lower one is still to come.
_APPEND = """
with held as materialized (select 1 from bus.owner where epoch = $1 for share),
given as (select * from unnest($2::text[], $3::int[], $4::bigint[]) as g (topic, partition, count)),
bumped as (
    update bus.partitions p set next = p.next + g.count from given g, held
    where p.topic = g.topic and p.partition = g.partition
    returning p.topic, p.partition, p.next - g.count as first, p.next),
stored as (
    insert into bus.records (topic, partition, "offset", key, value, headers, appended_at)
    select b.topic, b.partition, b.first + r.rank, r.key, r.value, r.headers, clock_timestamp()
    from unnest($5::text[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[])
        as r (topic, partition, rank, key, value, headers)
    join bumped b using (topic, partition))
select topic, partition, next from bumped
"""

_COMMIT = """
with held as materialized (select 1 from bus.owner where epoch = $1 for share)
insert into bus.positions ("group", topic, partition, next)
select $2, o.topic, o.partition, o.next
from unnest($3::text[], $4::int[], $5::bigint[]) as o (topic, partition, next), held
on conflict ("group", topic, partition) do update set next = excluded.next
"""

_READ = """
select topic, partition, "offset", key, value, headers, appended_at from (
    select r.*, sum(coalesce(octet_length(r.value), 0)) over (partition by r.topic, r.partition order by r."offset")
        - coalesce(octet_length(r.value), 0) as before
    from unnest($1::text[], $2::int[], $3::bigint[]) as w (topic, partition, start)
    cross join lateral (
        select * from bus.records s where s.topic = w.topic and s.partition = w.partition and s."offset" >= w.start
        order by s."offset" limit $4) r) found
where before < $5 order by topic, partition, "offset"
"""


class Span(NamedTuple):
    """What a partition holds: from `beginning` up to, not including, `end`."""

    beginning: int
    end: int


def partition_of(record: Record | Tombstone) -> Partition:
    """The key's partition; the same for ever."""
    return Partition(record.topic, zlib.crc32(record.key) % PARTITIONS)


class PostgresLog:
    """Every call is one transaction; raises BusUnavailable where Postgres is away."""

    def __init__(self, database: Database, ownership: Ownership) -> None:
        self._database = database
        self._ownership = ownership

    async def ensure_topics(self) -> None:
        """Makes a counter for every partition of the catalogue."""
        names = [name for name in TOPICS for _ in range(PARTITIONS)]
        numbers = list(range(PARTITIONS)) * len(TOPICS)
        async with self._transaction() as connection:
            await connection.execute(
                "insert into bus.partitions (topic, partition) select * from unnest($1::text[], $2::int[]) "
                "on conflict do nothing",
                names,
                numbers,
            )

    async def append(self, records: Sequence[Record | Tombstone]) -> Mapping[Partition, int]:
        """Stores all in one statement; the new ends. Raises BusUnavailable where the log is no longer ours."""
        rows, counts = _ranked(records)
        async with self._transaction() as connection:
            ends = await connection.fetch(
                _APPEND, self._epoch(), *_columns([(*partition, count) for partition, count in counts.items()]), *rows
            )
            if len(ends) != len(counts):
                raise BusUnavailable("the embedded log is no longer ours, or lacks a topic")
        return {Partition(row["topic"], row["partition"]): row["next"] for row in ends}

    async def read(self, starts: Mapping[Partition, int], most: int, most_bytes: int) -> list[Received]:
        """Up to `most` records of each partition, and about `most_bytes` of values, but at least one where there is."""
        columns = _columns([(*partition, start) for partition, start in starts.items()])
        async with self._transaction() as connection:
            rows = await connection.fetch(_READ, *columns, most, most_bytes)
        return [
            Received(topic, number, offset, key, value, _HEADERS.decode(headers) if headers else (), appended_at)
            for topic, number, offset, key, value, headers, appended_at in rows
        ]

    async def spans(self, topics: Collection[str]) -> Mapping[Partition, Span]:
        """What each partition of the topics holds."""
        async with self._transaction() as connection:
            rows = await connection.fetch(
                "select topic, partition, beginning, next from bus.partitions where topic = any($1)", list(topics)
            )
        return {Partition(*row[:2]): Span(*row[2:]) for row in rows}

    async def commit(self, group: str, offsets: Mapping[Partition, int]) -> bool:
        """Stores a group's positions; False where the log is no longer ours."""
        columns = _columns([(*partition, offset) for partition, offset in offsets.items()])
        async with self._transaction() as connection:
            done = await connection.execute(_COMMIT, self._epoch(), group, *columns)
        return done == f"INSERT 0 {len(offsets)}"

    async def committed(self, group: str, topics: Collection[str]) -> Mapping[Partition, int]:
        """A group's positions, where it has any."""
        async with self._transaction() as connection:
            rows = await connection.fetch(
                'select topic, partition, next from bus.positions where "group" = $1 and topic = any($2)',
                group,
                list(topics),
            )
        return {Partition(*row[:2]): row[2] for row in rows}

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        """When the oldest record at or after these positions was appended, by Postgres's clock."""
        async with self._transaction() as connection:
            at: datetime | None = await connection.fetchval(
                """select min(appended_at) from unnest($1::text[], $2::int[], $3::bigint[]) as given (t, p, o),
                   lateral (select appended_at from bus.records
                            where topic = t and partition = p and "offset" >= o order by "offset" limit 1) as first""",
                [partition.topic for partition in positions],
                [partition.number for partition in positions],
                list(positions.values()),
            )
        return at

    async def tidy(self, topic: Topic) -> None:
        """Lets go of what the topic's retention or compaction no longer keeps."""
        for number in range(PARTITIONS):
            partition = Partition(topic.name, number)
            if topic.retention is None:
                await self._compact(partition, topic.segment)
            else:
                await self._expire(partition, topic.retention)

    async def _compact(self, partition: Partition, remembered: timedelta) -> None:
        """Keeps the newest of each key; a tombstone, as Kafka does, only for as long as it must be `remembered`."""
        async with self._transaction() as connection:
            await connection.execute(
                """delete from bus.records r using (
                       select key, max("offset") as newest from bus.records
                       where topic = $1 and partition = $2 group by key having count(*) > 1) n
                   where r.topic = $1 and r.partition = $2 and r.key = n.key and r."offset" < n.newest""",
                *partition,
            )
            await connection.execute(
                """delete from bus.records where topic = $1 and partition = $2 and value is null
                     and appended_at < clock_timestamp() - $3::interval""",
                *partition,
                remembered,
            )

    async def _expire(self, partition: Partition, retention: timedelta) -> None:
        async with self._transaction() as connection:
            cut = await connection.fetchval(
                """select coalesce(
                       (select "offset" from bus.records where topic = $1 and partition = $2
                            and appended_at >= clock_timestamp() - $3::interval order by "offset" limit 1),
                       (select next from bus.partitions where topic = $1 and partition = $2))""",
                *partition,
                retention,
            )
            beginning = await connection.fetchval(
                "update bus.partitions set beginning = greatest(beginning, $3) "
                "where topic = $1 and partition = $2 returning beginning",
                *partition,
                cut,
            )
        while True:
            async with self._transaction() as connection:
                done = await connection.execute(
                    """delete from bus.records where topic = $1 and partition = $2 and "offset" in (
                           select "offset" from bus.records where topic = $1 and partition = $2 and "offset" < $3
                           order by "offset" limit $4)""",
                    *partition,
                    beginning,
                    _SLICE,
                )
            if done != f"DELETE {_SLICE}":
                return

    def _epoch(self) -> int:
        epoch = self._ownership.epoch
        if epoch is None:
            raise BusUnavailable("the embedded log is not ours at the moment")
        return epoch

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        try:
            async with self._database.transaction() as connection:
                yield connection
        except (Unavailable, Conflict) as error:
            raise BusUnavailable(f"the embedded log: {error}") from error


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _ranked(records: Sequence[Record | Tombstone]) -> tuple[list[list[object]], Mapping[Partition, int]]:
    """The rows to insert, as columns, each with its rank within its partition; and each partition's count."""
    counts: dict[Partition, int] = {}
    rows: list[tuple[object, ...]] = []
    for record in records:
        partition = partition_of(record)
        rank = counts.get(partition, 0)
        counts[partition] = rank + 1
        value, headers = (None, ()) if isinstance(record, Tombstone) else (record.value, record.headers)
        rows.append((*partition, rank, record.key, value, msgspec.msgpack.encode(headers) if headers else None))
    return _columns(rows), counts
