"""Records without a value, on Kafka: few, so they go one by one and beside the batches of everything else."""

import asyncio
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from jornada.bus.carrier import Tombstone


async def bury(client: Any, tombstones: Sequence[Tombstone]) -> None:
    """Sends tombstones by a connected AIOKafkaProducer and awaits every ack; raises what aiokafka raises.

    Each goes where the records of its key are: by CRC-32 of the key, as theirs.
    """
    acks = []
    for each in tombstones:
        number = crc32(each.key) % len(await client.partitions_for(each.topic))
        acks.append(await client.send(each.topic, None, each.key, partition=number))
    for ended in await asyncio.gather(*acks, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
