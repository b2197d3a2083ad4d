"""One member of a Kafka group: classic eager protocol, positions of our own, commits that are fenced."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from jornada.bus.carrier import Assigned, BusUnavailable, LogTruncated, Partition, Positions, Received
from jornada.bus.kafka_connection import UNREACHABLE, KafkaConnection
from jornada.bus.turns import in_turn

Bounds = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, tuple[int, int]]]]
"""The beginning and the end of each partition."""

T = TypeVar("T")

CUT_OFF = 30.0
_PATIENCE = 10.0

_log = logging.getLogger(__name__)


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What the group hands us. Both callbacks return at once: one that hangs would make `stop` hang."""

    def __init__(self) -> None:
        self.round = 0
        self.held: frozenset[Partition] = frozenset()
        self.changed = asyncio.Event()

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        self.round += 1
        self.held = frozenset()
        self.changed.clear()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self.round += 1
        self.held = frozenset(Partition(*pair) for pair in assigned)
        self.changed.set()


class KafkaConsumer:
    """See `carrier.Consumer`. A client that is beyond repair is replaced at the next poll."""

    def __init__(
        self,
        connection: KafkaConnection,
        client_id: str,
        group: str,
        topics: Sequence[str],
        positions: Positions,
        bounds: Bounds,
        group_instance_id: str | None,
    ) -> None:
        self._connection = connection
        self._identity = {"client_id": client_id, "group_id": group, "group_instance_id": group_instance_id}
        self._topics = tuple(topics)
        self._positions = positions
        self._bounds = bounds
        self._client: Any = None
        self._given = _Assignments()
        self._settled = -1
        self._next: dict[Partition, int] = {}
        self._turn = 0
        self._waiting: asyncio.Task[dict[Any, list[Any]]] | None = None
        self._waiting_round = -1

    async def start(self) -> None:
        """Connects and asks to join the group."""
        if self._client is not None:
            return
        self._given = _Assignments()
        self._settled = -1
        self._next = {}
        client = self._new()
        try:
            await asyncio.wait_for(client.start(), _PATIENCE)
        except UNREACHABLE as error:
            await _end(client)
            raise BusUnavailable(f"Kafka: {type(error).__name__}") from error
        except asyncio.CancelledError:
            await _end(client)
            raise
        # Subscribing only now: a start that waits for its first assignment waits without bound.
        client.subscribe(self._topics, listener=self._given)
        self._client = client

    async def stop(self) -> None:
        """Leaves the group within 5 s."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        client, self._client = self._client, None
        if client is not None:
            await _end(client)

    async def poll(self, max_records: int, timeout: float) -> Sequence[Received]:
        """The next records, partitions taking turns."""
        until = asyncio.get_running_loop().time() + timeout
        await self.start()
        while True:
            records: list[Received] = []
            if self._settled_now() or await self._settle(until):
                records = await self._guarded(self._attempt(max_records, until))
            if records:
                return records
            if asyncio.get_running_loop().time() >= until:
                self._refuse_cut_off()
                return []

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Commits as a member of the group, so that one who lost its partitions is refused."""
        if self._client is None or not self._settled_now() or not offsets.keys() <= self._next.keys():
            return False
        if not offsets:
            return True
        pairs = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
        try:
            await asyncio.wait_for(self._client.commit(pairs), _PATIENCE)
        except (CommitFailedError, IllegalStateError):
            return False
        except UNREACHABLE as error:
            raise BusUnavailable(f"Kafka: {type(error).__name__} at a commit") from error
        return True

    def seek(self, partition: Partition, offset: int) -> None:
        """Reads on from `offset`."""
        if self._client is None or not self._settled_now() or partition not in self._next:
            return
        self._next[partition] = offset
        self._client.seek(TopicPartition(*partition), offset)
        if self._waiting is not None:
            # What an unfinished wait has taken already would come after the seek.
            self._waiting_round = -1

    def assignment(self) -> frozenset[Partition]:
        """Empty while the group rebalances and until the positions are set."""
        return self._given.held if self._client is not None and self._settled_now() else frozenset()

    def _new(self) -> Any:
        return AIOKafkaConsumer(
            **self._identity,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=15_000,
            heartbeat_interval_ms=3_000,
            max_poll_interval_ms=300_000,
            rebalance_timeout_ms=20_000,
            request_timeout_ms=10_000,
            fetch_max_wait_ms=500,
            metadata_max_age_ms=30_000,
            **self._connection.settings(),
        )

    def _settled_now(self) -> bool:
        return self._settled == self._given.round and self._given.changed.is_set()

    async def _attempt(self, max_records: int, until: float) -> list[Received]:
        records = await self._ready(max_records)
        if not records:
            records = await self._arriving(until)
            records += await self._ready(max_records - len(records)) if records else []
        return records

    async def _settle(self, until: float) -> bool:
        """Waits for partitions and asks where to start in them; False where that is not done by `until`."""
        if not await self._guarded(self._handed(until)):
            return False
        current, held = self._given.round, self._given.held
        known = await self._guarded(asyncio.wait_for(self._assigned(held), _PATIENCE))
        chosen = await self._positions(known) if held else {}
        if current != self._given.round:
            return False
        for partition in held:
            if not known[partition].beginning <= chosen[partition] <= known[partition].end:
                raise LogTruncated(f"{partition} holds {known[partition]}, not {chosen[partition]}")
            self._client.seek(TopicPartition(*partition), chosen[partition])
        self._next = {partition: chosen[partition] for partition in held}
        self._settled = current
        return True

    async def _handed(self, until: float) -> bool:
        try:
            async with asyncio.timeout_at(until):
                await self._given.changed.wait()
        except TimeoutError:
            # A dead coordination task tells nobody but whoever asks for records.
            self._client._coordinator.check_errors()
            return False
        return True

    async def _guarded(self, asked: Awaitable[T]) -> T:
        """Puts aiokafka's errors into the contract's; after one, the next poll finds a new client."""
        try:
            return await asked
        except OffsetOutOfRangeError as error:
            raise LogTruncated(f"the position is not in the log: {error.args}") from error
        except UNREACHABLE as error:
            await self.stop()
            raise BusUnavailable(f"Kafka: {type(error).__name__}") from error

    async def _assigned(self, partitions: Collection[Partition]) -> dict[Partition, Assigned]:
        bounds = await self._bounds(partitions) if partitions else {}
        committed = await asyncio.gather(*(self._client.committed(TopicPartition(*part)) for part in partitions))
        return {part: Assigned(offset, *bounds[part]) for part, offset in zip(partitions, committed, strict=True)}

    async def _ready(self, max_records: int) -> list[Received]:
        """What is fetched already: a share of each topic, then whatever fills the rest; aiokafka by itself would fill a
        batch from one partition for as long as that has records."""
        if self._waiting is not None or max_records < 1:
            return []
        self._turn += 1
        topics = in_turn(self._next, self._turn)
        records: list[Received] = []
        for share in (max(1, max_records // max(1, len(topics))), max_records):
            for partitions in topics:
                await self._take(partitions, min(share, max_records - len(records)), records)
        return records

    async def _take(self, partitions: Sequence[Partition], most: int, records: list[Received]) -> None:
        """Adds up to `most` of what is fetched of these partitions, each as far as it goes."""
        for partition in partitions:
            if most < 1 or not self._settled_now():
                return
            taken = self._taken(await self._fetched(TopicPartition(*partition), most, records))
            records += taken
            most -= len(taken)

    async def _fetched(self, pair: Any, room: int, before: list[Received]) -> dict[Any, list[Any]]:
        try:
            found: dict[Any, list[Any]] = await self._client.getmany(pair, timeout_ms=0, max_records=room)
        except NoOffsetForPartitionError:
            # Noted before our own position was set.
            return {}
        except OffsetOutOfRangeError as error:
            if not self._is_current(error):
                return {}
            if before:
                # Hand out the others first; a position that is still wrong is found again by the next fetch.
                return {}
            raise
        return found

    def _is_current(self, error: Any) -> bool:
        positions: Mapping[Any, int] = error.args[0] if error.args else {}
        return any(self._next.get(Partition(*pair)) == offset for pair, offset in positions.items())

    async def _arriving(self, until: float) -> list[Received]:
        """The first record to arrive by `until`. The wait is never cancelled, but gone on with by the next poll:
        aiokafka does not survive the cancelling of a wait with its idle clock intact."""
        left = until - asyncio.get_running_loop().time()
        if self._waiting is None:
            if left <= 0:
                return []
            wait = self._client.getmany(timeout_ms=int(left * 1000) + 1, max_records=1)
            self._waiting = asyncio.create_task(wait)
            self._waiting_round = self._given.round
        done, _ = await asyncio.wait([self._waiting], timeout=max(0.0, left) + 0.05)
        if not done:
            return []
        waited, self._waiting = self._waiting, None
        try:
            found = waited.result()
        except NoOffsetForPartitionError:
            return []
        except OffsetOutOfRangeError as error:
            if self._is_current(error):
                raise
            return []
        if self._waiting_round != self._given.round:
            self._put_back(found)
            return []
        return self._taken(found)

    def _put_back(self, found: Mapping[Any, Any]) -> None:
        """Partitions or positions changed during the wait: what it took is fetched again from where we stand."""
        if not self._settled_now():
            return
        for pair in found:
            position = self._next.get(Partition(*pair))
            if position is not None:
                self._client.seek(pair, position)

    def _taken(self, found: Mapping[Any, Sequence[Any]]) -> list[Received]:
        records = [_received(record) for each in found.values() for record in each]
        for record in records:
            self._next[Partition(record.topic, record.partition)] = record.offset + 1
        return records

    def _refuse_cut_off(self) -> None:
        """Nothing came: was the broker asked at all? Its last answer moves even on an idle partition."""
        if not self._settled_now() or not self._next:
            return
        answered = [self._client.last_poll_timestamp(TopicPartition(*partition)) for partition in self._next]
        latest = max((moment for moment in answered if moment is not None), default=None)
        if latest is not None and time.time() - latest / 1000 > CUT_OFF:
            raise BusUnavailable(f"Kafka has not answered for {CUT_OFF:.0f} s")


def _received(record: Any) -> Received:
    return Received(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key or b"",
        value=record.value,
        headers=tuple(record.headers),
        appended_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


async def _end(client: Any) -> None:
    try:
        await asyncio.wait_for(client.stop(), 5)
    except UNREACHABLE as error:
        _log.warning("the consumer did not leave its group in time: %s", type(error).__name__)
