"""Reads a topic as whoever comes last would: every record, from its beginning to its end."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg

from jornada.bus.carrier import Assigned, Partition, Received
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.events import JOURNEYS, JourneyEvent, JourneySnapshot, decode, new_id


async def ends_of(brokers: str, topic: str) -> Mapping[Partition, int]:
    """Where the log of each partition ends now."""
    bus = KafkaBus(KafkaConnection(brokers=brokers), client_id="checker")
    try:
        return await bus.ends([topic])
    finally:
        await bus.stop()


async def records_of(brokers: str, topic: str, since: Mapping[Partition, int] | None = None) -> list[Received]:
    """The records of each partition in order, the partitions mingled: all, or those since the log ended so."""
    starts = since or {}

    async def chosen(assigned: Mapping[Partition, Assigned]) -> dict[Partition, int]:
        return {partition: starts.get(partition, known.beginning) for partition, known in assigned.items()}

    bus = KafkaBus(KafkaConnection(brokers=brokers), client_id="checker")
    consumer = bus.consumer(f"checker-{new_id().hex}", [topic], chosen)
    await consumer.start()
    found: list[Received] = []
    try:
        ends = await bus.ends([topic])
        missing = {partition for partition, end in ends.items() if end > starts.get(partition, 0)}
        while missing:
            for record in await consumer.poll(5_000, 1.0):
                found.append(record)
                partition = Partition(record.topic, record.partition)
                if record.offset + 1 >= ends[partition]:
                    missing.discard(partition)
    finally:
        await consumer.stop()
        await bus.stop()
    return found


async def stale_journeys(
    brokers: str, connection: "asyncpg.Connection[asyncpg.Record]", workspace: object
) -> list[str]:
    """A workspace's customers and accounts who are told otherwise by the last record of their key, which is what a
    consumer would hold after compaction, than they are stored: each with what was told, in order."""
    events: dict[object, list[JourneyEvent]] = defaultdict(list)
    for record in await records_of(brokers, JOURNEYS.name):
        if record.value is not None:  # a heartbeat has none
            event: JourneyEvent = decode(record.value, JourneyEvent)
            events[event.subject_id].append(event)
    rows = await connection.fetch(
        "select id, type, version from journey.subjects where workspace = $1 and merged_into is null"
        " and version is not null",
        workspace,
    )
    return [
        f"{row['type']} {row['id']} is stored as {row['version']:x} and was told as {_versions(told)}"
        for row in rows
        if not (told := events[row["id"]])
        or not isinstance(told[-1], JourneySnapshot)
        or told[-1].version != row["version"]
    ]


def _versions(events: Sequence[JourneyEvent]) -> str:
    return ", ".join(f"{type(each).__name__} {each.version:x}" for each in events[-5:])
