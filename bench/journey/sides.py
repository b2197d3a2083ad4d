"""Our worker and the bare loops, each a process of its own: `python -m bench.journey.sides SIDE`.

Each works on command: a line with a number in, `done` out when so many records more are folded and published. After
`fill` and a number it knows so many customers, of whom nothing is read or published.
"""

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol
from zlib import crc32

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.journey.events import WORKSPACE, Events, Told
from bench.journey.job import SAVE_STATES, folded, opened, told
from jornada.bus.carrier import Received, Record
from jornada.bus.heartbeats import Heartbeats
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.lag import LagMeter
from jornada.bus.offsets import following, store
from jornada.bus.publisher import Publisher
from jornada.bus.timers import Ticker
from jornada.bus.worker import Worker
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import JOURNEYS, TOUCHPOINTS, Touchpoint, encode
from jornada.observe import logs, metrics
from jornada.pseudonyms import Pseudonyms
from jornada.runtime.main import on_loop
from services.journey.app import GROUP
from services.journey.domain.state import EMPTY, State
from services.journey.store import subjects
from services.journey.store.snapshots import PostgresSnapshots
from services.journey.worker.earlier import EarlierEmails
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.refolding import Refolder
from services.journey.worker.silence import fire

BATCH = 2_000
FILL = 8_000
PSEUDONYMS = Pseudonyms(bytes(32))
OUT = "bench.journeys"
PARTITIONS = 12


class Side(Protocol):
    """One way to do the job."""

    async def start(self) -> None: ...

    async def work(self, records: int) -> None:
        """Returns when so many records more are folded, stored and published."""

    async def fold(self, records: Sequence[Any]) -> object:
        """Folds and stores."""


class Ours:
    """The journey service's worker with all that runs beside it, HTTP apart."""

    def __init__(self, url: str, brokers: str) -> None:
        self._bus = KafkaBus(KafkaConnection(brokers), client_id="ours")
        self._database = Database(url, "journey")
        self._clock = SystemClock()
        self._publisher = Publisher(self._database, self._bus, PostgresSnapshots())
        self._fold = TouchpointFold(self._publisher, PSEUDONYMS, self._clock)
        self._worker = Worker(
            GROUP,
            [TOUCHPOINTS.name],
            bus=self._bus,
            database=self._database,
            publisher=self._publisher,
            fold=self._fold,
            clock=self._clock,
            batch=BATCH,
        )
        self._beside: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._bus.start()
        await self._database.start()
        parts = {"bus": self._bus, "database": self._database, "clock": self._clock}
        lag = LagMeter(**parts, group=GROUP, topics=[TOUCHPOINTS.name], queues=["refolds"])  # type: ignore[arg-type]
        ticker = Ticker(
            database=self._database,
            publisher=self._publisher,
            clock=self._clock,
            hold=subjects.held,
            fire=fire,
            folded_until=lag.folded_until,
        )
        beside = [
            self._publisher.run,
            ticker.run,
            Refolder(self._database, self._publisher, self._clock).run,
            EarlierEmails(self._database, self._publisher, self._clock).run,
            Heartbeats(self._bus, [JOURNEYS.name]).run,
            self._worker.run,
        ]
        self._beside = [asyncio.create_task(act()) for act in beside]

    async def fold(self, records: Sequence[Any]) -> object:
        async with self._database.transaction([WORKSPACE]) as connection:
            return await self._fold(connection, [_received(each) for each in records])

    async def work(self, records: int) -> None:
        counter = metrics.FOLDED.labels(GROUP)
        until = counter._value.get() + records
        while counter._value.get() < until:  # noqa: ASYNC110 - the counter tells nobody
            await asyncio.sleep(0.02)


class Loop:
    """A bare loop on aiokafka: `getmany`, a transaction, `send_batch`, the offsets."""

    def __init__(self, url: str, brokers: str) -> None:
        self._url = url
        self._brokers = brokers

    async def start(self) -> None:
        await self.open()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            acks="all",
            enable_idempotence=False,
            compression_type="zstd",
            max_batch_size=262_144,
        )
        self._consumer = AIOKafkaConsumer(
            os.environ["BENCH_TOPIC"],
            bootstrap_servers=self._brokers,
            group_id=f"bench-{type(self).__name__}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await self._producer.start()
        await self._consumer.start()

    async def open(self) -> None:
        """Connects to Postgres."""
        raise NotImplementedError

    async def fold(self, records: Sequence[Any]) -> Mapping[bytes, bytes]:
        """Folds and stores; the snapshots to publish, by key."""
        raise NotImplementedError

    async def work(self, records: int) -> None:
        done = 0
        while done < records:
            got = await self._consumer.getmany(timeout_ms=500, max_records=BATCH)
            batch = [record for part in got.values() for record in part]
            if batch:
                await self._publish(await self.fold(batch))
                await self._consumer.commit(
                    {TopicPartition(*part): theirs[-1].offset + 1 for part, theirs in got.items() if theirs}
                )
                done += len(batch)

    async def _publish(self, snapshots: Mapping[bytes, bytes]) -> None:
        parts: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for key, value in snapshots.items():
            parts[crc32(key) % PARTITIONS].append((key, value))
        await asyncio.gather(*(self._publish_part(number, theirs) for number, theirs in parts.items()))

    async def _publish_part(self, number: int, theirs: Sequence[tuple[bytes, bytes]]) -> None:
        batch = self._producer.create_batch()
        for key, value in theirs:
            if batch.append(timestamp=None, key=key, value=value) is None:
                await (await self._producer.send_batch(batch, OUT, partition=number))
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        await (await self._producer.send_batch(batch, OUT, partition=number))


class SameSql(Loop):
    """With our fold and our SQL: what the worker and the publisher add is not there."""

    async def open(self) -> None:
        self._database = Database(self._url, "journey")
        await self._database.start()
        self._snapshots = PostgresSnapshots()
        publisher = Publisher(self._database, None, self._snapshots)  # type: ignore[arg-type]
        self._fold = TouchpointFold(publisher, PSEUDONYMS, SystemClock())

    async def fold(self, records: Sequence[Any]) -> Mapping[bytes, bytes]:
        received = [
            Received(each.topic, each.partition, each.offset, each.key, each.value, (), _NEVER) for each in records
        ]
        async with self._database.transaction([WORKSPACE]) as connection:
            subjects = await self._fold(connection, received)
            await store(connection, "kafka", following(received))
            stored = await self._snapshots.stored(connection, sorted(subjects))
        return {each.record.key: each.record.value for each in stored if isinstance(each.record, Record)}


class UpsertAndCopy(Loop):
    """With one upsert and one `COPY`: states and ids of events stay in memory, identity is the user id."""

    async def open(self) -> None:
        self._connection = await asyncpg.connect(self._url)
        self._states: dict[str, State] = {}
        self._seen: set[str] = set()

    async def fold(self, records: Sequence[Any]) -> Mapping[bytes, bytes]:
        fresh: dict[str, list[Touchpoint]] = defaultdict(list)
        for each in records:
            touchpoint = opened(each.value)
            if touchpoint.message_id not in self._seen:
                self._seen.add(touchpoint.message_id)
                fresh[touchpoint.user_id or ""].append(touchpoint)
        snapshots = {}
        for user, theirs in fresh.items():
            self._states[user] = folded(self._states.get(user, EMPTY), theirs)
            snapshots[user] = told(user, theirs[0].anonymous_id or "", self._states[user])
        users = sorted(fresh)
        async with self._connection.transaction():
            await self._connection.copy_records_to_table(
                "touchpoints",
                records=[
                    (user, each.occurred_at, each.message_id, encode(each)) for user in users for each in fresh[user]
                ],
            )
            await self._connection.execute(
                SAVE_STATES, users, [encode(self._states[user]) for user in users], [snapshots[user] for user in users]
            )
        return {f"{WORKSPACE}/{user}".encode(): each for user, each in snapshots.items()}


class Upsert(Loop):
    """One upsert of 500 bytes a customer, and nothing else: what the growth of ours is held against."""

    async def open(self) -> None:
        self._connection = await asyncpg.connect(self._url)

    async def fold(self, records: Sequence[Any]) -> Mapping[bytes, bytes]:
        users = sorted({opened(each.value).user_id or "" for each in records})
        await self._connection.execute(SAVE_STATES, users, [_STATE] * len(users), [b""] * len(users))
        return {}


def _received(told: Told) -> Received:
    return Received(TOUCHPOINTS.name, 0, 0, told.key, told.value, (), _NEVER)


_STATE = os.urandom(500)
_NEVER: Any = None
SIDES: Mapping[str, Callable[[str, str], Side]] = {
    "ours": Ours,
    "same_sql": SameSql,
    "upsert_copy": UpsertAndCopy,
    "upsert": Upsert,
}


async def serve(side: Side) -> int:
    """Works on command until there are none."""
    await side.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)  # noqa: T201
    while line := await reader.readline():
        if line.startswith(b"fill"):
            everybody = Events(int(line.removeprefix(b"fill")), zipf=True).each()
            while batch := list(islice(everybody, FILL)):
                await side.fold(batch)
        else:
            await side.work(int(line))
        print("done", flush=True)  # noqa: T201
    return 0


def main() -> None:
    """One side."""
    logs.set_up(level="ERROR", readable=False)
    side = SIDES[sys.argv[1]](os.environ["BENCH_DATABASE_URL"], os.environ["JORNADA_KAFKA_BROKERS"])
    on_loop(serve(side))


if __name__ == "__main__":
    main()
