"""Reads a topic as whoever comes last would: every record, from its beginning to its end."""

from collections.abc import Mapping

import asyncpg

from jornada.bus.carrier import Assigned, Partition, Received
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.events import JOURNEYS, JourneyEvent, JourneySnapshot, decode, new_id


async def _beginning(assigned: Mapping[Partition, Assigned]) -> dict[Partition, int]:
    return {partition: known.beginning for partition, known in assigned.items()}


async def records_of(brokers: str, topic: str) -> list[Received]:
    """The records of each partition in order, the partitions mingled."""
    bus = KafkaBus(KafkaConnection(brokers=brokers), client_id="checker")
    consumer = bus.consumer(f"checker-{new_id().hex}", [topic], _beginning)
    await consumer.start()
    found: list[Received] = []
    try:
        ends = await bus.ends([topic])
        missing = {partition for partition, end in ends.items() if end > 0}
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


async def stale_journeys(brokers: str, connection: "asyncpg.Connection[asyncpg.Record]", workspace: object) -> int:
    """How many of a workspace's customers and accounts are told otherwise by the last record of their key, which is
    what a consumer would hold after compaction, than they are stored."""
    last: dict[object, JourneyEvent] = {}
    for record in await records_of(brokers, JOURNEYS.name):
        if record.value is None:  # a heartbeat
            continue
        event: JourneyEvent = decode(record.value, JourneyEvent)
        last[event.subject_id] = event
    rows = await connection.fetch(
        "select id, version from journey.subjects where workspace = $1 and merged_into is null and version is not null",
        workspace,
    )
    told = [(last.get(row["id"]), row["version"]) for row in rows]
    return sum(not isinstance(event, JourneySnapshot) or event.version != version for event, version in told)
