"""The stream on Kafka. The modules `kafka*` of this package are the only ones that know aiokafka."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic

from aiokafka.codec import has_zstd
from aiokafka.errors import KafkaError

from jornada.bus.carrier import BusUnavailable, Consumer, Partition, Positions, Record, Then, Tombstone
from jornada.bus.kafka_connection import UNREACHABLE, KafkaConnection, limit_logs
from jornada.bus.kafka_consumer import KafkaConsumer
from jornada.bus.kafka_inspector import KafkaInspector
from jornada.bus.kafka_producer import KafkaProducer
from jornada.bus.kafka_tombstones import bury
from jornada.bus.kafka_topics import ensure_topics
from jornada.bus.packed import Packed

__all__ = ["KafkaBus", "KafkaConnection"]


class KafkaBus:
    """See `carrier.Bus`. Made without a broker, it becomes ready by itself once there is one."""

    carrier = "kafka"

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        client_id: str,
        topic_replicas: int = 1,
        group_instance_id: str | None = None,
    ) -> None:
        """`topic_replicas` is for topics yet to be made; `group_instance_id` only from a StatefulSet's pod name."""
        if not has_zstd():
            raise RuntimeError("the library for zstd is missing (aiokafka[zstd])")
        limit_logs()
        self._connection = connection
        self._client_id = client_id
        self._replicas = topic_replicas
        self._group_instance_id = group_instance_id
        self._producer = KafkaProducer(connection, client_id)
        self._inspector = KafkaInspector(connection, f"{client_id}-inspector")
        self._checking = asyncio.Lock()
        self._checked = False

    async def start(self) -> None:
        """Makes or checks the topics and connects; raises BusUnavailable and may be called again, or not at all."""
        await self._check()
        await self._producer.start()

    async def stop(self) -> None:
        """Closes every connection within 5 s each, all at once."""
        await asyncio.gather(self._producer.stop(), self._inspector.stop())

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        """Returns once all in-sync replicas have every record; raises BusUnavailable within `deadline` seconds."""
        if not records:
            return
        until = monotonic() + deadline
        if not self._checked:
            try:
                async with asyncio.timeout_at(until):
                    await self._check()
            except TimeoutError as error:
                raise BusUnavailable("Kafka: the topics could not be checked in time") from error
        await self._producer.publish(records, until)

    def submit(self, records: Sequence[Record], deadline: float, then: Then) -> bool:
        """As `publish`, of packed records."""
        if not self._checked or not isinstance(records, Packed) or not records.written:
            return False
        return self._producer.submit(records, monotonic() + deadline, then)

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        """Returns once all in-sync replicas have every tombstone."""
        if not tombstones:
            return
        try:
            async with asyncio.timeout(deadline):
                await self._check()
                await bury(await self._producer.client(), tombstones)
        except UNREACHABLE as error:
            if type(error) is KafkaError:
                await self._producer.drop()  # its sender has died, which it never comes back from
            raise BusUnavailable(f"Kafka: {type(error).__name__}; the tombstones may be stored") from error

    def consumer(self, group: str, topics: Sequence[str], positions: Positions) -> Consumer:
        """A new member of `group`, not yet started."""
        return KafkaConsumer(
            self._connection,
            self._client_id,
            group,
            topics,
            positions,
            self._inspector.bounds,
            self._group_instance_id,
        )

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """Raises BusUnavailable."""
        return await self._inspector.ends(topics)

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        """Raises BusUnavailable."""
        return await self._inspector.committed(group, topics)

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        """By the broker's clock. Raises BusUnavailable."""
        return await self._inspector.oldest(positions)

    async def _check(self) -> None:
        async with self._checking:
            if not self._checked:
                await ensure_topics(self._connection, self._client_id, self._replicas)
                self._checked = True
