"""Who publishes and goes on is told the outcome, once; those who share a batch share nothing else.

Broken on purpose, each turned a test of this file red: an outcome told when the first of a call's portions is stored;
a call told of its neighbours' refusal; a full queue that takes more; an outcome never told of what was stopped.
"""

import asyncio
import random
from collections.abc import Sequence

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from jornada.bus import kafka_producer
from jornada.bus.backlog import Call, Calls
from jornada.bus.carrier import Bus, BusUnavailable, Record
from jornada.bus.kafka import KafkaBus, KafkaConnection
from tests.shared.bus.carriers import TOPIC, Carrier, drained, fresh, packed, packs, record, starting_at

Outcome = Exception | None


def submitted(bus: Bus, records: Sequence[Record], deadline: float = 8.5) -> asyncio.Future[Outcome]:
    """The outcome, once it is told; an InvalidStateError fails the test where it is told twice."""
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    assert bus.submit(records, deadline, told.set_result)
    return told


@packs
async def test_what_is_submitted_is_told_once_it_is_stored_and_read_in_order(carrier: Carrier) -> None:
    run = fresh()
    await carrier.bus.publish(packed(["first"]))
    ends = await carrier.bus.ends([TOPIC])
    calls = [packed([f"{run} {call}-{n}" for n in range(1 + call * 5)]) for call in range(12)]
    assert await asyncio.gather(*(submitted(carrier.bus, each) for each in calls)) == [None] * len(calls)
    stored = sum((await carrier.bus.ends([TOPIC])).values()) - sum(ends.values())
    assert stored == sum(map(len, calls)), "told before it was stored"
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, stored)
    await consumer.stop()
    assert [(r.key, r.value) for r in found] == [(r.key, r.value) for each in calls for r in each]


async def test_no_records_are_not_taken(carrier: Carrier) -> None:
    await carrier.bus.publish([record("first")])
    assert not carrier.bus.submit([], 1, lambda _: None)


@packs
async def test_of_a_carrier_that_is_down_it_is_told_within_the_deadline_and_stored_again_after(
    carrier: Carrier,
) -> None:
    loop = asyncio.get_running_loop()
    await carrier.bus.publish(packed(["before"]))
    await carrier.down()
    try:
        began = loop.time()
        assert isinstance(await submitted(carrier.bus, packed(["during"]), 1.5), BusUnavailable)
        assert loop.time() - began < 2
    finally:
        await carrier.up()
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.1)
            told: list[Outcome] = []
            if carrier.bus.submit(packed(["after"]), 1, told.append):
                await asyncio.sleep(1.2)
            if told == [None]:
                break


@packs
async def test_control_telling_before_the_ack_is_seen(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(self: Calls, call: Call) -> None:
        call._end(None)

    await carrier.bus.publish(packed(["first"]))
    monkeypatch.setattr(Calls, "watch", at_once)
    await carrier.down()
    try:
        assert await submitted(carrier.bus, packed(["lost?"]), 0.5) is None
    finally:
        await carrier.up()
    monkeypatch.undo()


@packs
async def test_what_waits_is_told_of_a_stop(carrier: Carrier) -> None:
    await carrier.bus.publish(packed(["first"]))
    await carrier.down()
    try:
        told = submitted(carrier.bus, packed(["waits"]))
        await carrier.bus.stop()
        assert isinstance(await asyncio.wait_for(told, 1), BusUnavailable)
    finally:
        await carrier.up()


@packs
async def test_a_record_that_the_broker_refuses_fails_its_own_call_alone(kafka_brokers: str) -> None:
    name = f"refuses-{fresh()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_brokers)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1, topic_configs={"max.message.bytes": "4000"})])
    await admin.close()
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    await bus.publish(packed(["first"], name))
    noise = random.Random(7).randbytes(6_000).hex()
    calls = [packed([f"{call}", noise] if call == 2 else [f"{call}", f"{call}-"], name) for call in range(5)]
    outcomes = await asyncio.gather(*(submitted(bus, each) for each in calls))
    await bus.stop()
    assert [type(each) for each in outcomes] == [type(None)] * 2 + [BusUnavailable] + [type(None)] * 2


@packs
async def test_a_full_queue_takes_nothing_at_once_and_who_publishes_waits(
    kafka_brokers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_producer, "QUEUE_BYTES", 2_000)
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    await bus.publish(packed(["first"]))
    cluster = (await bus._producer.client()).client.cluster
    monkeypatch.setattr(cluster, "leader_for_partition", lambda pair: -1)
    for _ in range(100):
        if not bus.submit(packed(["x" * 300]), 8.5, lambda _: None):
            break
        await asyncio.sleep(0.03)
    waiting = asyncio.create_task(bus.publish(packed(["patient"])))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    assert not bus.submit(packed(["no"]), 8.5, lambda _: None)
    monkeypatch.undo()
    await asyncio.wait_for(waiting, 5)
    assert await submitted(bus, packed(["yes"])) is None
    await bus.stop()


@packs
async def test_a_large_call_is_not_gathered_with_others(kafka_brokers: str) -> None:
    bus = KafkaBus(KafkaConnection(kafka_brokers), client_id="test")
    await bus.start()
    await bus.publish(packed(["first"]))
    assert not bus.submit(packed(["x" * 20_000] * 7), 8.5, lambda _: None)
    assert await submitted(bus, packed(["x" * 20_000])) is None
    await bus.stop()
