"""Where a worker stands, kept in the transaction that got it there; and the epoch that a rewind raises."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from jornada.bus.carrier import Partition, Received
from jornada.db import Connection

_EPOCH_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
SEQUENCE_BITS = 39

NEXT_VERSION = f"((select value from epoch) << {SEQUENCE_BITS}) + nextval('versions')"  # noqa: S608 - a constant
"""SQL for the next version: the epoch in the high bits, the sequence in the low. Draw it under the row's lock."""


async def load(connection: Connection, carrier: str, topics: Sequence[str]) -> dict[Partition, int]:
    """The stored position of every partition of the topics that has one, in the carrier's log."""
    rows = await connection.fetch(
        "select topic, partition, next from offsets where carrier = $1 and topic = any($2)", carrier, list(topics)
    )
    return {Partition(row["topic"], row["partition"]): row["next"] for row in rows}


async def store(connection: Connection, carrier: str, positions: Mapping[Partition, int]) -> None:
    """Stores positions in the carrier's log; each only ever grows."""
    await connection.execute(
        """insert into offsets (carrier, topic, partition, next)
           select $1, * from unnest($2::text[], $3::int[], $4::bigint[]) order by 2, 3
           on conflict (carrier, topic, partition) do update set next = greatest(offsets.next, excluded.next)""",
        carrier,
        [partition.topic for partition in positions],
        [partition.number for partition in positions],
        list(positions.values()),
    )


async def raise_epoch(connection: Connection, now: datetime) -> int:
    """Begins a new epoch, above every one before, a lost one included: it counts minutes of the world's time."""
    minutes = int((now - _EPOCH_BEGIN).total_seconds()) // 60
    value: int = await connection.fetchval("update epoch set value = greatest(value + 1, $1) returning value", minutes)
    return value


def following(records: Sequence[Received]) -> dict[Partition, int]:
    """The position after the last of the records, for each partition among them."""
    positions: dict[Partition, int] = {}
    for record in records:
        partition = Partition(record.topic, record.partition)
        positions[partition] = max(positions.get(partition, 0), record.offset + 1)
    return positions
