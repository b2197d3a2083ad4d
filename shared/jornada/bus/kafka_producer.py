"""Records to Kafka: one queue and one outstanding batch per partition, so that order survives every retry."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from jornada.bus.backlog import Backlog, Call, Calls, Portion, measured
from jornada.bus.carrier import BusUnavailable, Partition, Record, Then
from jornada.bus.gathering import Gathering, apart, parted
from jornada.bus.kafka_batches import COMPRESSION, built, unpacked, written
from jornada.bus.kafka_connection import UNREACHABLE, KafkaConnection
from jornada.bus.packed import Packed

ACKS: str | int = "all"
BATCH_BYTES = 524_288
QUEUE_BYTES = 4 * 1024 * 1024
LARGE = 131_072
"""Bytes from which on a call is not gathered with others: it fills batches by itself and would hold them up."""
CIRCUIT = 1.0

_log = logging.getLogger(__name__)


class KafkaProducer:
    """Publishes; connects at the first call and again whenever the connection is beyond repair."""

    def __init__(self, connection: KafkaConnection, client_id: str) -> None:
        self._connection = connection
        self._client_id = client_id
        self._producer: Any = None
        self._opening = asyncio.Lock()
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._calls = Calls()
        self._gathering = Gathering(self._hand_out)
        self._crowded = False
        self._partition_counts: dict[str, int] = {}
        self._counted_at = 0.0

    async def start(self) -> None:
        """Connects; raises BusUnavailable and may be called again."""
        await self.client()

    async def stop(self) -> None:
        """Ends within 5 s; what is queued fails."""
        self._gathering.fail_all(BusUnavailable("the bus was stopped"))
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.stop()
        await self.drop()

    async def publish(self, records: Sequence[Record], until: float) -> None:
        """Returns once all are acked by every in-sync replica; raises BusUnavailable at the loop's time `until`."""
        topics = {records.topic} if isinstance(records, Packed) else {each.topic for each in records}
        counts = self._known_partitions(topics) or await self._partitions(topics, until)
        parts = _packed_parts(records, counts) if isinstance(records, Packed) else _parts(records, counts)
        call = Call(until, len(parts))
        try:
            for topic, number, part, size in parts:
                backlog, portion = self._lane(topic, number).backlog, Portion([call], part, size)
                if not backlog.put(portion):
                    await backlog.put_patiently(portion)
        except BaseException:
            call.leave()
            raise
        await self._calls.settled(call)

    def submit(self, packed: Packed, until: float, then: Then) -> bool:
        """As `publish`, for who goes on meanwhile; False for a large call, or where as much as may waits."""
        if packed.written.size > LARGE or self._known_partitions((packed.topic,)) is None or self._is_crowded():
            return False
        call = Call(until, 0, then)
        self._calls.watch(call)
        self._gathering.add(packed, call)
        return True

    def _is_crowded(self) -> bool:
        if self._crowded:
            self._crowded = any(lane.backlog.is_full() for lane in self._lanes.values())
        return self._crowded

    def _hand_out(self, topic: str, gathered: Sequence[tuple[Packed, Call]]) -> None:
        """Queues what was gathered, a portion for each partition."""
        waiting = [(packed, call) for packed, call in gathered if not call.is_over]
        counts = self._known_partitions((topic,))
        if counts is None:
            for _, call in waiting:
                call.fail(BusUnavailable("Kafka: the partitions are not known"))
            return
        parts, shares = parted([packed for packed, _ in waiting], counts[topic])
        for (_, call), share in zip(waiting, shares, strict=True):
            call.portions = share
        for number, part in parts:
            lane = self._lane(topic, number)
            lane.backlog.add(Portion([waiting[place][1] for place in part.members], part, part.size, is_due=True))
            self._crowded = self._crowded or lane.backlog.is_full()

    async def client(self) -> Any:
        """The connected AIOKafkaProducer; raises BusUnavailable."""
        if self._producer is not None:
            return self._producer
        async with self._opening:
            if self._producer is None:
                producer = self._new()
                try:
                    await asyncio.wait_for(producer.start(), 10)
                except UNREACHABLE as error:
                    await _end(producer)
                    raise BusUnavailable(f"Kafka: {type(error).__name__}") from error
                except asyncio.CancelledError:
                    await _end(producer)
                    raise
                self._producer = producer
            return self._producer

    async def drop(self) -> None:
        """Closes the client; the next call makes a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _end(producer)

    def _new(self) -> Any:
        return AIOKafkaProducer(
            client_id=self._client_id,
            acks=ACKS,
            # The idempotent one wedges a partition for good after a leaderless spell or a refused record.
            enable_idempotence=False,
            request_timeout_ms=8_000,
            retry_backoff_ms=100,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=1_048_576,
            metadata_max_age_ms=30_000,
            compression_type=COMPRESSION,
            **self._connection.settings(),
        )

    def _known_partitions(self, topics: Iterable[str]) -> dict[str, int] | None:
        """How many each topic has, if all are known; counted anew every second."""
        now = monotonic()
        if now - self._counted_at > 1:
            self._partition_counts.clear()
            self._counted_at = now
        counts = self._partition_counts
        for topic in topics:
            if topic not in counts:
                partitions = self._producer and self._producer.client.cluster.partitions_for_topic(topic)
                if not partitions:
                    return None
                counts[topic] = len(partitions)
        return counts

    async def _partitions(self, topics: set[str], until: float) -> dict[str, int]:
        """How many each topic has, by asking. Raises BusUnavailable."""
        try:
            async with asyncio.timeout_at(until):
                producer = await self.client()
                return {topic: len(await producer.partitions_for(topic)) for topic in topics}
        except UNREACHABLE as error:
            raise BusUnavailable(f"Kafka: {type(error).__name__}") from error

    def _lane(self, topic: str, number: int) -> "_Lane":
        lane = self._lanes.get((topic, number))
        if lane is None:
            lane = self._lanes[topic, number] = _Lane(self, Partition(topic, number))
        return lane


_Part = tuple[str, int, Any, int]
"""Topic and number of a partition, the records it gets and their size, or about their share of it."""


def _parts(records: Sequence[Record], partitions: Mapping[str, int]) -> list[_Part]:
    """The records of each partition.

    By CRC-32 of the key, as librdkafka's `consistent` has it: aiokafka's own murmur2 is written in Python and costs
    more than the rest of a record's way.
    """
    each = measured(records) // len(records)
    parts: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        topic = record.topic
        lane = (topic, crc32(record.key) % partitions[topic])
        if lane in parts:
            parts[lane].append(record)
        else:
            parts[lane] = [record]
    return [(topic, number, part, each * len(part)) for (topic, number), part in parts.items()]


def _packed_parts(packed: Packed, partitions: Mapping[str, int]) -> list[_Part]:
    """The same of records that were packed."""
    topic = packed.topic
    parts, _ = parted([packed], partitions[topic])
    return [(topic, number, part, part.size) for number, part in parts]


async def _end(producer: Any) -> None:
    try:
        await asyncio.wait_for(producer.stop(), 5)
    except UNREACHABLE as error:
        _log.warning("the producer did not end in time: %s", type(error).__name__)


class _Lane:
    """One partition's queue, and the task that sends from it one batch at a time."""

    def __init__(self, owner: KafkaProducer, partition: Partition) -> None:
        self.backlog = Backlog(QUEUE_BYTES)
        self._owner = owner
        self._partition = partition
        self._known_as = TopicPartition(*partition)
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        self._task.cancel()
        self.backlog.fail_all(BusUnavailable("the bus was stopped"))

    async def _run(self) -> None:
        while True:
            portions = await self.backlog.take(BATCH_BYTES)
            try:
                await self._send(portions)
            except asyncio.CancelledError:
                _fail(portions, BusUnavailable("the bus was stopped"))
                raise
            except Exception as error:
                # The lane must live on: whatever went wrong is the callers' to hear.
                _log.warning("a batch for %s failed: %s", self._partition, type(error).__name__)
                _fail(portions, _unavailable(error))
                await self._recover(error)

    async def _send(self, portions: list[Portion]) -> None:
        producer = await self._owner.client()
        while portions and not self._is_led(producer):
            portions = await self._when_asked_again(producer, portions)
            producer = await self._owner.client()
        if not await self._sent_packed(producer, portions):
            await self._sent_each(producer, portions)

    async def _sent_packed(self, producer: Any, portions: Sequence[Portion]) -> bool:
        """Whether all were packed, and are stored."""
        parts = [portion.records for portion in portions if not isinstance(portion.records, list)]
        if len(parts) < len(portions):
            return False
        try:
            for batch in written(parts, BATCH_BYTES):
                await (await producer.send_batch(batch, self._partition.topic, partition=self._partition.number))
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            return False  # one by one it is found out which
        for portion in portions:
            portion.stored()
        return True

    async def _sent_each(self, producer: Any, together: Sequence[Portion]) -> None:
        portions = [portion for each in together for portion in apart(each)]
        taken_apart = [unpacked(self._partition.topic, portion.records) for portion in portions]
        records = [record for part in taken_apart for record in part]
        refused: set[int] = set()
        while records:
            batch, taken = built(producer, records)
            refused.update(map(id, await self._deliver(producer, batch, records[:taken])))
            records = records[taken:]
        for portion, part in zip(portions, taken_apart, strict=True):
            if refused and any(id(record) in refused for record in part):
                portion.fail(BusUnavailable(f"Kafka takes less for {self._partition.topic} than a record may have"))
            else:
                portion.stored()

    def _is_led(self, producer: Any) -> bool:
        leader = producer.client.cluster.leader_for_partition(self._known_as)
        return leader is not None and leader != -1

    async def _when_asked_again(self, producer: Any, portions: list[Portion]) -> list[Portion]:
        """Holds a batch back while nobody leads the partition and asks once a second; aiokafka would not pause."""
        await asyncio.wait([producer.client.force_metadata_update()], timeout=CIRCUIT)
        await asyncio.sleep(CIRCUIT)
        return [portion for portion in portions if not portion.left]

    async def _deliver(self, producer: Any, batch: Any, records: list[Record]) -> list[Record]:
        """The records that the broker refuses as too large; whatever is sent beside them must not suffer for it."""
        try:
            await (await producer.send_batch(batch, self._partition.topic, partition=self._partition.number))
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            if len(records) == 1:
                _log.error("%s refuses a record of %d bytes as too large", self._partition, measured(records))
                return records
            middle = len(records) // 2
            refused = []
            for half in (records[:middle], records[middle:]):
                smaller, _ = built(producer, half)
                refused += await self._deliver(producer, smaller, half)
            return refused
        return []

    async def _recover(self, error: Exception) -> None:
        # The plain class means that aiokafka's sender task has died, which it never comes back from.
        if type(error) is KafkaError:
            await self._owner.drop()
        await asyncio.sleep(0.1)


def _fail(portions: Sequence[Portion], error: Exception) -> None:
    for portion in portions:
        portion.fail(error)


def _unavailable(error: Exception) -> BusUnavailable:
    unavailable = BusUnavailable(f"Kafka: {type(error).__name__}")
    unavailable.__cause__ = error
    return unavailable
