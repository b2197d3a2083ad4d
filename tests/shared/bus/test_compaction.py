"""A key that is forgotten leaves a compacted log after its time; on an idle partition of Kafka by heartbeats."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from jornada.bus.carrier import Bus, Received, Record, Tombstone
from jornada.bus.embedded import EmbeddedBus
from jornada.bus.heartbeats import Heartbeats
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.kafka_topics import topic_settings
from jornada.db import Database
from jornada.events.catalogue import JOURNEYS
from tests.shared.bus.carriers import fresh, starting_at

TOPIC = JOURNEYS.name


class Compacted(Protocol):
    """A compacted topic of one carrier that can be made to live through its times in seconds."""

    topic: str

    @property
    def bus(self) -> Bus: ...

    async def lives_through_its_times(self, *, beating: bool) -> None: ...


class Embedded:
    """Its times are hours; its records are made older."""

    topic = TOPIC

    def __init__(self, bus: EmbeddedBus, url: str) -> None:
        self.bus, self._url = bus, url

    async def lives_through_its_times(self, *, beating: bool) -> None:
        connection = await asyncpg.connect(self._url)
        older = "update bus.records set appended_at = appended_at - $1::interval where topic = $2"
        await connection.execute(older, 1.1 * JOURNEYS.segment, TOPIC)
        await connection.close()
        assert isinstance(self.bus, EmbeddedBus)
        await self.bus.tidy()


class Kafka:
    """Its times are a second, and the broker lives through them in its own way."""

    def __init__(self, bus: KafkaBus, topic: str) -> None:
        self.bus, self.topic = bus, topic

    async def lives_through_its_times(self, *, beating: bool) -> None:
        for _ in range(20 if beating else 8):
            if beating:
                await Heartbeats(self.bus, [self.topic]).beat()
                if not await held(self):
                    return
            await asyncio.sleep(1)


@pytest.fixture(params=["embedded", "kafka"])
async def compacted(request: pytest.FixtureRequest) -> AsyncIterator[Compacted]:
    """The topic, on each carrier."""
    if request.param == "embedded":
        url: str = request.getfixturevalue("postgres_url")
        database = Database(url, "bus")
        embedded = EmbeddedBus(database)
        await embedded.start()
        yield Embedded(embedded, url)
        await embedded.stop()
        await database.stop()
        return
    brokers: str = request.getfixturevalue("kafka_brokers")
    name = f"compacted-{fresh()}"
    times = dict.fromkeys(("segment.ms", "max.compaction.lag.ms", "delete.retention.ms"), "1000")
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    answer = await admin.create_topics([NewTopic(name, 1, 1, topic_configs=topic_settings(JOURNEYS, 1) | times)])
    await admin.close()
    assert answer.topic_errors[0][1] == 0
    bus = KafkaBus(KafkaConnection(brokers), client_id="test")
    yield Kafka(bus, name)
    await bus.stop()


PERSON = b"0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21/ana"
OTHER = b"0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21/bia"


async def held(compacted: Compacted, key: bytes = PERSON) -> list[bytes | None]:
    """What the log holds of a key: values, and None for a tombstone."""
    consumer = compacted.bus.consumer(fresh(), [compacted.topic], starting_at({}))
    await consumer.start()
    found: list[Received] = []
    while batch := await consumer.poll(1_000, 3.0):
        found += batch
    await consumer.stop()
    return [each.value for each in found if each.key == key]


async def test_a_forgotten_key_leaves_the_log_after_its_time_and_nothing_else_does(compacted: Compacted) -> None:
    topic = compacted.topic
    await compacted.bus.publish([Record(topic, PERSON, b"personal"), Record(topic, OTHER, b"kept")])
    await compacted.bus.forget([Tombstone(topic, PERSON)])
    assert await held(compacted) == [b"personal", None]
    await compacted.lives_through_its_times(beating=True)
    assert await held(compacted) == []
    assert await held(compacted, OTHER) == [b"kept"]


@pytest.mark.parametrize("compacted", ["kafka"], indirect=True)
async def test_control_without_heartbeats_an_idle_partition_keeps_what_was_erased(compacted: Compacted) -> None:
    await compacted.bus.publish([Record(compacted.topic, PERSON, b"personal")])
    await compacted.bus.forget([Tombstone(compacted.topic, PERSON)])
    await compacted.lives_through_its_times(beating=False)
    assert await held(compacted) == [b"personal", None]


@pytest.mark.parametrize("compacted", ["embedded"], indirect=True)
async def test_a_tombstone_stays_for_its_time_so_that_who_reads_on_sees_it(compacted: Compacted) -> None:
    await compacted.bus.publish([Record(TOPIC, PERSON, b"personal")])
    await compacted.bus.forget([Tombstone(TOPIC, PERSON)])
    assert isinstance(compacted.bus, EmbeddedBus)
    await compacted.bus.tidy()
    assert await held(compacted) == [None]
