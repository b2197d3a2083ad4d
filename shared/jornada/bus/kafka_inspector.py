"""Questions about Kafka's logs, asked on a connection of their own."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from jornada.bus.carrier import BusUnavailable, Partition
from jornada.bus.kafka_connection import UNREACHABLE, KafkaConnection

_PATIENCE = 10.0


class KafkaInspector:
    """Asks about logs on a connection of its own: on a consumer's, a question waits behind the long poll."""

    def __init__(self, connection: KafkaConnection, client_id: str) -> None:
        self._connection = connection
        self._client_id = client_id
        self._client: Any = None
        self._turn = asyncio.Lock()

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                await asyncio.wait_for(client.stop(), 5)
            except UNREACHABLE as error:
                raise BusUnavailable(f"Kafka: {type(error).__name__} at the end") from error

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        async def ask(client: Any) -> Mapping[Partition, int]:
            pairs = [
                TopicPartition(topic, number)
                for topic in topics
                for number in sorted(await client._client._wait_on_metadata(topic))
            ]
            return {Partition(*pair): offset for pair, offset in (await client.end_offsets(pairs)).items()}

        found: Mapping[Partition, int] = await self._ask(ask)
        return found

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        async def ask(client: Any) -> Mapping[Partition, int]:
            wanted = {
                TopicPartition(topic, number)
                for topic in topics
                for number in await client._client._wait_on_metadata(topic)
            }
            return await _committed(client._client, group, wanted)

        found: Mapping[Partition, int] = await self._ask(ask)
        return found

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """The beginning and the end of each partition."""
        pairs = [TopicPartition(*partition) for partition in partitions]

        async def ask(client: Any) -> Mapping[Partition, tuple[int, int]]:
            beginnings = await client.beginning_offsets(pairs)
            ends = await client.end_offsets(pairs)
            return {Partition(*pair): (beginnings[pair], ends[pair]) for pair in pairs}

        found: Mapping[Partition, tuple[int, int]] = await self._ask(ask)
        return found

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        """All partitions are asked for at once: one after the other they would take longer than what is measured."""
        pairs = {TopicPartition(*partition): offset for partition, offset in positions.items()}

        async def ask(client: Any) -> datetime | None:
            ends = await client.end_offsets(list(pairs))
            waiting = [pair for pair, offset in pairs.items() if offset < ends[pair]]
            if not waiting:
                return None
            beginnings = await client.beginning_offsets(waiting)
            client.assign(waiting)
            try:
                for pair in waiting:
                    client.seek(pair, max(pairs[pair], beginnings[pair]))
                stamps = [(await client.getone(pair)).timestamp for pair in waiting]
            finally:
                client.unsubscribe()
            return datetime.fromtimestamp(min(stamps) / 1000, UTC)

        found: datetime | None = await self._ask(ask)
        return found

    async def _ask(self, ask: Any) -> Any:
        """One question at a time, within ten seconds; after a failure the next one finds a new client."""
        async with self._turn:
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await ask(await self._connected())
            except UNREACHABLE as error:
                await self._discard()
                raise BusUnavailable(f"Kafka: {type(error).__name__}") from error
            except asyncio.CancelledError:
                await self._discard()
                raise

    async def _connected(self) -> Any:
        if self._client is None:
            self._client = AIOKafkaConsumer(
                client_id=self._client_id,
                enable_auto_commit=False,
                auto_offset_reset="none",
                request_timeout_ms=8_000,
                fetch_max_wait_ms=100,
                metadata_max_age_ms=30_000,
                **self._connection.settings(),
            )
            await self._client.start()
        return self._client

    async def _discard(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            # Its end may hang with the broker; nobody needs to wait for it.
            ending = asyncio.create_task(asyncio.wait_for(client.stop(), 5))
            ending.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def _committed(client: Any, group: str, wanted: Collection[Any]) -> Mapping[Partition, int]:
    coordinator = await client.coordinator_lookup(0, group)
    topics: dict[str, list[int]] = {}
    for topic, number in wanted:
        topics.setdefault(topic, []).append(number)
    answer = await client.send(coordinator, OffsetFetchRequest(group, list(topics.items())))
    found = {}
    for topic, partitions in answer.topics:
        for number, offset, _metadata, code in partitions:
            if code:
                raise for_code(code)
            if offset >= 0:
                found[Partition(topic, number)] = offset
    return found
