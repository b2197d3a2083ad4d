"""Reads a topic as whoever comes last would: every record, from its beginning to its end."""

from collections.abc import Mapping

from jornada.bus.carrier import Assigned, Partition, Received
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.events import new_id


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
