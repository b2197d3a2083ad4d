"""What only Kafka can do wrong."""

import asyncio
import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from jornada.bus.carrier import BusUnavailable, Partition
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.kafka_producer import KafkaProducer
from jornada.bus.kafka_topics import topic_settings, unsafe
from jornada.bus.local_kafka import LocalKafka
from jornada.events.catalogue import TOPICS
from tests.shared.bus.carriers import TOPIC, drained, fresh, packed, packs, record, starting_at


async def _made(brokers: str, name: str, settings: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    answer = await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
    await admin.close()
    assert answer.topic_errors[0][1] == 0


async def test_a_batch_that_the_broker_finds_too_large_is_split_and_keeps_its_order(kafka_brokers: str) -> None:
    name = f"split-{fresh()}"
    await _made(kafka_brokers, name, {"max.message.bytes": "20000"})
    producer = KafkaProducer(KafkaConnection(kafka_brokers), "test")
    noise = random.Random(7)
    sent = [record("key", b"%03d" % n + noise.randbytes(1000), name) for n in range(150)]
    await producer.publish(sent, asyncio.get_running_loop().time() + 10)
    await producer.stop()
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    consumer = bus.consumer(name, [name], starting_at({}))
    await consumer.start()
    found = await drained(consumer, 150)
    await consumer.stop()
    await bus.stop()
    assert [r.value for r in found] == [r.value for r in sent]


@packs
async def test_packed_records_that_the_broker_finds_too_large_are_split_and_keep_their_order(
    kafka_brokers: str,
) -> None:
    name = f"packed-{fresh()}"
    await _made(kafka_brokers, name, {"max.message.bytes": "20000"})
    noise = random.Random(7)
    sent = [packed([f"{n:03} {noise.randbytes(500).hex()}" for n in range(at, at + 50)], name) for at in (0, 50, 100)]
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    await asyncio.gather(*(bus.publish(each) for each in sent))
    consumer = bus.consumer(name, [name], starting_at({}))
    await consumer.start()
    found = await drained(consumer, 150)
    await consumer.stop()
    await bus.stop()
    assert [(r.key, r.value) for r in found] == [(r.key, r.value) for each in sent for r in each]


async def test_a_leaderless_partition_is_asked_about_once_a_second_and_then_served(
    kafka_brokers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    await bus.publish([record("key")])
    client = (await bus._producer.client()).client
    asked: list[float] = []
    refresh = client.force_metadata_update

    def counted() -> asyncio.Future[bool]:
        asked.append(asyncio.get_running_loop().time())
        refreshing: asyncio.Future[bool] = refresh()
        return refreshing

    monkeypatch.setattr(client.cluster, "leader_for_partition", lambda pair: -1)
    monkeypatch.setattr(client, "force_metadata_update", counted)
    with pytest.raises(BusUnavailable):
        await bus.publish([record("key")], 0.3)
    later = asyncio.create_task(bus.publish([record("key")]))
    await asyncio.sleep(1.5)
    monkeypatch.undo()
    await asyncio.wait_for(later, 3)
    await bus.stop()
    assert 1 <= len(asked) <= 3


async def test_a_service_older_than_its_broker_becomes_ready_by_itself(tmp_path: Path, kafka_node: LocalKafka) -> None:
    node = LocalKafka(tmp_path, libs=kafka_node.libs)
    bus = KafkaBus(KafkaConnection(node.brokers), client_id="test")
    run = fresh()
    with pytest.raises(BusUnavailable):
        await bus.start()
    consumer = bus.consumer(run, [TOPIC], starting_at({}))
    with pytest.raises(BusUnavailable):
        await consumer.start()
    with pytest.raises(BusUnavailable):
        await bus.ends([TOPIC])
    try:
        await asyncio.to_thread(node.start)
        await bus.publish([record(run)])
        assert [r.key for r in await drained(consumer, 1)] == [run.encode()]
        assert sum((await bus.ends([TOPIC])).values()) == 1
    finally:
        await asyncio.gather(consumer.stop(), bus.stop())
        await asyncio.to_thread(node.kill)


async def test_a_killed_broker_loses_nothing_acked_and_is_found_again(kafka_node: LocalKafka) -> None:
    bus = KafkaBus(KafkaConnection(kafka_node.brokers), client_id="test")
    await bus.start()
    run = fresh()
    consumer = bus.consumer(run, [TOPIC], starting_at(await bus.ends([TOPIC])))
    await consumer.start()
    await bus.publish([record(f"{run}-first")])
    assert len(await drained(consumer, 1)) == 1
    acked: set[bytes] = set()
    crash = asyncio.create_task(asyncio.to_thread(_crash, kafka_node))
    numbers = itertools.count()
    while not crash.done():
        await _try_to_publish(bus, f"{run}-{next(numbers)}", acked)
    await crash
    loop = asyncio.get_running_loop()
    healed = loop.time()
    while not await _try_to_publish(bus, f"{run}-{next(numbers)}", acked):
        assert loop.time() - healed < 10
    found: set[bytes] = set()
    while not found >= acked:
        assert loop.time() - healed < 25
        try:
            found |= {r.key for r in await consumer.poll(100, 0.5)}
        except BusUnavailable:
            await asyncio.sleep(0.1)
    await asyncio.gather(consumer.stop(), bus.stop())


async def _try_to_publish(bus: KafkaBus, key: str, acked: set[bytes]) -> bool:
    try:
        await bus.publish([record(key)], 2)
    except BusUnavailable:
        return False
    acked.add(key.encode())
    return True


def _crash(node: LocalKafka) -> None:
    node.kill()
    node.start()


async def test_topics_are_made_as_the_catalogue_says_and_found_safe(kafka_brokers: str) -> None:
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    ends = await bus.ends(list(TOPICS))
    await bus.stop()
    assert set(ends) == {Partition(name, n) for name, topic in TOPICS.items() for n in range(topic.partitions)}


@pytest.mark.parametrize("name", list(TOPICS))
def test_a_topic_is_unsafe_where_it_would_lose_or_keep_too_long(name: str) -> None:
    topic = TOPICS[name]
    wanted = topic_settings(topic, 3)
    assert unsafe(topic, 3, wanted) == []
    assert unsafe(topic, 3, wanted | {"cleanup.policy": "compact,delete"})
    assert unsafe(topic, 3, wanted | {"min.insync.replicas": "1"})
    assert unsafe(topic, 3, wanted | {"max.message.bytes": "1000"})
    if topic.retention is None:
        assert unsafe(topic, 3, wanted | {"max.compaction.lag.ms": "9223372036854775807"})
    else:
        assert unsafe(topic, 3, wanted | {"retention.ms": "1000"})
        assert unsafe(topic, 3, wanted | {"retention.ms": "-1"}) == []


def test_a_connection_refuses_what_contradicts_itself() -> None:
    plain = KafkaConnection("localhost:9092")
    with pytest.raises(ValueError, match="password file"):
        replace(plain, security_protocol="SASL_SSL", username="me")
    with pytest.raises(ValueError, match="its key"):
        replace(plain, cert_file=Path("cert.pem"))
    with pytest.raises(ValueError, match="no Kafka broker"):
        replace(plain, brokers="")
