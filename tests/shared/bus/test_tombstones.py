"""Records without a value, and heartbeats, which are such: the same on every carrier."""

import asyncio

import pytest

from jornada.bus.carrier import BusUnavailable, Tombstone
from jornada.bus.heartbeats import Heartbeats
from jornada.events.catalogue import JOURNEYS
from tests.shared.bus.carriers import Carrier, drained, fresh, record, starting_at

TOPIC = JOURNEYS.name


async def test_a_tombstone_is_read_after_what_was_acked_of_its_key_and_has_no_value(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n}", b"", TOPIC) for n in range(30)])
    await carrier.bus.forget([Tombstone(TOPIC, f"{run}-{n}".encode()) for n in range(30)])
    await carrier.bus.publish([record(f"{run}-0", b"again", TOPIC)])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 61)
    await consumer.stop()
    by_key: dict[bytes, list[bytes | None]] = {}
    for each in found:
        by_key.setdefault(each.key, []).append(each.value)
    again = by_key.pop(f"{run}-0".encode())
    assert (again, list(by_key.values())) == ([b"", None, b"again"], [[b"", None]] * 29)


async def test_a_tombstone_is_appended_at_an_instant_and_moves_the_end(carrier: Carrier) -> None:
    before = await carrier.bus.ends([TOPIC])
    await carrier.bus.forget([Tombstone(TOPIC, fresh().encode())])
    ends = await carrier.bus.ends([TOPIC])
    (moved,) = [partition for partition in ends if ends[partition] > before[partition]]
    assert await carrier.bus.oldest({moved: before[moved]}) is not None


async def test_a_heartbeat_reaches_every_partition_under_a_key_of_its_own(carrier: Carrier) -> None:
    before = await carrier.bus.ends([TOPIC])
    heartbeats = Heartbeats(carrier.bus, [TOPIC])
    await heartbeats.beat()
    await heartbeats.beat()
    assert await carrier.bus.ends([TOPIC]) == {partition: end + 2 for partition, end in before.items()}
    consumer = carrier.bus.consumer(fresh(), [TOPIC], starting_at(before))
    await consumer.start()
    found = await drained(consumer, 2 * len(before))
    await consumer.stop()
    assert {each.value for each in found} == {None}
    assert len({each.key for each in found}) == len(before)


async def test_a_tombstone_in_doubt_is_told_within_the_deadline(carrier: Carrier) -> None:
    await carrier.down()
    try:
        began = asyncio.get_running_loop().time()
        with pytest.raises(BusUnavailable):
            await carrier.bus.forget([Tombstone(TOPIC, fresh().encode())], 1.5)
        assert asyncio.get_running_loop().time() - began < 2.5
    finally:
        await carrier.up()
    async with asyncio.timeout(20):
        while True:
            try:
                return await carrier.bus.forget([Tombstone(TOPIC, fresh().encode())])
            except BusUnavailable:
                await asyncio.sleep(0.1)
