"""The laws of a stream, which every carrier keeps."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from jornada.bus.carrier import (
    MAX_RECORD,
    Assigned,
    BusUnavailable,
    Consumer,
    LogTruncated,
    Partition,
    Record,
    RecordTooLarge,
)
from jornada.events.catalogue import REJECTIONS, TOPICS
from tests.shared.bus.carriers import TOPIC, Carrier, after, drained, fresh, packed, packs, record, starting_at


async def test_every_acked_record_is_read_as_it_was_sent(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    headers = (("trace", b"\x00\xff"),)
    sent = [Record(TOPIC, f"{run}-{n}".encode(), bytes([n]) * n, headers) for n in range(200)]
    await carrier.bus.publish(sent)
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 200)
    await consumer.stop()
    assert {(r.key, r.value, r.headers) for r in found} == {(r.key, r.value, r.headers) for r in sent}
    assert len(found) == 200


@packs
async def test_packed_records_are_read_as_others_are_and_keep_their_order_among_them(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    headers = (("trace", b"\x00\xff"),)
    sent: list[Sequence[Record]] = []
    for call in range(10):
        alone = [Record(TOPIC, b"customer", b"%d" % call)] if call % 3 else []
        sent += [packed([f"{run} {call}-{n}" for n in range(1 + call * 7)], headers=headers), alone]
    await asyncio.gather(*(carrier.bus.publish(each) for each in sent))
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    wanted = [(r.key, r.value, r.headers) for each in sent for r in each]
    found = await drained(consumer, len(wanted))
    await consumer.stop()
    assert [(r.key, r.value, r.headers) for r in found if r.key == b"customer"] == wanted


async def test_records_of_one_key_keep_their_order_over_calls_and_sizes(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    for start in range(0, 300, 50):
        await carrier.bus.publish([record(f"{run}-{n % 7}", b"%d" % n) for n in range(start, start + 50)])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 300, most=17)
    await consumer.stop()
    for key in {r.key for r in found}:
        numbers = [int(r.value or b"") for r in found if r.key == key]
        assert numbers == sorted(numbers)
    assert len(found) == 300


async def test_a_committed_position_survives_a_restart_of_the_bus(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(20)])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    first = await drained(consumer, 20)
    assert await consumer.commit(after(first))
    await consumer.stop()
    await carrier.stop()
    await carrier.start()
    assert (await carrier.bus.committed(run, [TOPIC])).items() >= after(first).items()
    await carrier.bus.publish([record(f"{run}-later")])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    second = await drained(consumer, 1)
    await consumer.stop()
    assert [r.key for r in second] == [f"{run}-later".encode()]


async def test_records_that_were_not_committed_are_read_again(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(20)])
    reads = []
    for _ in range(2):
        consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
        await consumer.start()
        reads.append({(r.partition, r.offset) for r in await drained(consumer, 20)})
        await consumer.stop()
    assert reads[0] == reads[1]
    assert len(reads[0]) == 20


async def test_the_positions_callback_decides_where_reading_starts(carrier: Carrier) -> None:
    run = fresh()
    before = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(run, b"%d" % n) for n in range(10)])
    ends = await carrier.bus.ends([TOPIC])
    asked: dict[Partition, Assigned] = {}

    async def positions(assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
        asked.update(assigned)
        return {part: max(before[part], ends[part] - 3) for part in assigned}

    consumer = carrier.bus.consumer(run, [TOPIC], positions)
    await consumer.start()
    found = await drained(consumer, 3)
    assert await consumer.poll(10, 0.3) == []
    await consumer.stop()
    assert [r.value for r in found] == [b"7", b"8", b"9"]
    assert {part: known.end for part, known in asked.items()} == dict(ends)
    assert all(known.committed is None for known in asked.values())


async def test_a_positions_callback_that_fails_is_asked_again(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(run)])
    calls = []

    async def positions(assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
        calls.append(len(assigned))
        if len(calls) == 1:
            raise LookupError("the first time")
        return {part: ends[part] for part in assigned}

    consumer = carrier.bus.consumer(run, [TOPIC], positions)
    await consumer.start()
    with pytest.raises(LookupError):
        await drained(consumer, 1)
    found = await drained(consumer, 1)
    await consumer.stop()
    assert [r.key for r in found] == [run.encode()]


async def test_seek_reads_on_from_where_it_is_told(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(run, b"%d" % n) for n in range(5)])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    first = await drained(consumer, 5)
    consumer.seek(Partition(TOPIC, first[0].partition), first[2].offset)
    again = await drained(consumer, 3)
    await consumer.stop()
    assert [r.value for r in again] == [b"2", b"3", b"4"]


async def test_the_ends_cover_everything_acked(carrier: Carrier) -> None:
    run = fresh()
    before = await carrier.bus.ends([TOPIC])
    for n in range(5):
        await carrier.bus.publish([record(f"{run}-{n}-{i}") for i in range(10)])
        ends = await carrier.bus.ends([TOPIC])
        assert sum(ends.values()) == sum(before.values()) + 10 * (n + 1)
    assert set(await carrier.bus.ends(list(TOPICS))) > set(ends)


async def test_concurrent_calls_are_all_stored_once(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await asyncio.gather(*(carrier.bus.publish([record(f"{run}-{call}-{n}") for n in range(3)]) for call in range(300)))
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 900)
    await consumer.stop()
    assert len(found) == len({r.key for r in found}) == 900


@pytest.mark.parametrize(("count", "size"), [(20_000, 40), (5, 60_000), (3, MAX_RECORD - 100), (300, 20_000)])
async def test_large_batches_and_large_records_arrive_whole(carrier: Carrier, count: int, size: int) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    body = bytes(range(256)) * (size // 256 + 2)
    await carrier.bus.publish([record(f"{run}-{n}", body[n % 251 : n % 251 + size]) for n in range(count)], 30)
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, count, seconds=30, most=2000)
    await consumer.stop()
    assert len(found) == len({r.key for r in found}) == count
    assert all(r.value is not None and len(r.value) == size for r in found)


async def test_a_record_that_is_too_large_is_refused_with_its_whole_call(carrier: Carrier) -> None:
    before = await carrier.bus.ends([TOPIC])
    with pytest.raises(RecordTooLarge):
        await carrier.bus.publish([record("small"), record("large", bytes(MAX_RECORD))])
    assert await carrier.bus.ends([TOPIC]) == before


async def test_one_full_partition_does_not_starve_the_others(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(run, b"x") for _ in range(5000)])
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(40)])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 5040, most=100)
    await consumer.stop()
    full = next(r.partition for r in found if r.key == run.encode())
    others = [index for index, r in enumerate(found) if r.partition != full]
    assert len(others) > 5
    assert max(others) < 1500


async def test_a_batch_has_few_partitions_as_far_as_they_go_and_each_has_its_turn(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n % 60}") for n in range(6000)])
    held = [(await carrier.bus.ends([TOPIC]))[part] - end for part, end in ends.items()]
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    assert await drained(consumer, 1, most=1)
    await asyncio.sleep(1)  # for what is fetched ahead
    polls = [{r.partition for r in await consumer.poll(min(held), 1)} for _ in held]
    await consumer.stop()
    assert max(map(len, polls)) <= 3
    assert set().union(*polls) == set(range(len(held)))


async def test_a_flood_on_one_topic_does_not_hold_up_another(carrier: Carrier) -> None:
    run, other = fresh(), REJECTIONS.name
    ends = await carrier.bus.ends([TOPIC, other])
    await carrier.bus.publish([record(f"{run}-{n % 60}") for n in range(6000)])
    await carrier.bus.publish([record(f"{run}-{n}", topic=other) for n in range(40)])
    consumer = carrier.bus.consumer(run, [TOPIC, other], starting_at(ends))
    await consumer.start()
    found = list(await drained(consumer, 1, most=1))
    await asyncio.sleep(1)  # for what is fetched ahead
    while sum(each.topic == other for each in found) < 40:
        found += await consumer.poll(200, 1)
    await consumer.stop()
    assert len(found) <= 1_000


async def test_a_position_that_the_log_does_not_hold_is_a_truncation(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at({part: end + 1000 for part, end in ends.items()}))
    await consumer.start()
    with pytest.raises(LogTruncated):
        await drained(consumer, 1)
    await consumer.stop()


async def test_a_seek_out_of_the_log_is_a_truncation(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    while not consumer.assignment():
        await consumer.poll(1, 0.2)
    consumer.seek(Partition(TOPIC, 0), ends[Partition(TOPIC, 0)] + 1000)
    with pytest.raises(LogTruncated):
        await drained(consumer, 1)
    await consumer.stop()


async def test_a_rebalance_hands_partitions_over_and_refuses_the_old_owner(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(100)])
    one = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    two = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await one.start()
    batch = await drained(one, 100)
    await two.start()
    found: list[bytes] = []
    refused = False
    until = asyncio.get_running_loop().time() + 20
    while not (one.assignment() and two.assignment()) and asyncio.get_running_loop().time() < until:
        found += [r.key for r in await two.poll(500, 0.1)]
        refused = refused or not await one.commit(after(batch))
        found += [r.key for r in await one.poll(500, 0.1)]
    found += [r.key for r in await drained(two, 100 - len(found), 2)]
    found += [r.key for r in await drained(one, 100 - len(found), 2)]
    assert one.assignment() | two.assignment() == set(ends)
    assert not one.assignment() & two.assignment()
    await asyncio.gather(one.stop(), two.stop())
    assert refused
    assert set(found) <= {f"{run}-{n}".encode() for n in range(100)}


async def test_who_leaves_hands_its_partitions_to_the_rest(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    members = [carrier.bus.consumer(run, [TOPIC], starting_at(ends)) for _ in range(2)]
    for member in members:
        await member.start()
    until = asyncio.get_running_loop().time() + 20
    while not all(m.assignment() for m in members) and asyncio.get_running_loop().time() < until:
        await asyncio.gather(*(m.poll(1, 0.2) for m in members))
    await members[0].stop()
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(50)])
    found = await drained(members[1], 50, 20)
    await members[1].stop()
    assert len({r.key for r in found}) == 50


async def test_the_oldest_of_what_waits_is_told_by_when_it_came(carrier: Carrier) -> None:
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    began = datetime.fromtimestamp(time.time(), UTC)
    await carrier.bus.publish([record(run)])
    after_it = await carrier.bus.ends([TOPIC])
    (partition,) = [part for part in ends if after_it[part] > ends[part]]
    at = await carrier.bus.oldest(ends)
    assert at is not None
    assert abs(at - began) < timedelta(seconds=5)
    assert await carrier.bus.oldest(after_it) is None
    await asyncio.sleep(0.01)
    await carrier.bus.publish([record(f"{run}-{number}") for number in range(40)])
    assert await carrier.bus.oldest(ends) == at
    later = await carrier.bus.oldest(after_it)
    assert later is not None
    assert later > at
    assert await carrier.bus.oldest({partition: 0}) <= at  # type: ignore[operator]
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
    await consumer.start()
    assert min(r.appended_at for r in await drained(consumer, 41)) == at
    await consumer.stop()


async def test_a_waiting_poll_wakes_for_a_new_record(carrier: Carrier) -> None:
    run = fresh()
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(await carrier.bus.ends([TOPIC])))
    await consumer.start()
    await consumer.poll(1, 1)
    while not consumer.assignment():
        await consumer.poll(1, 0.2)
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(consumer.poll(10, 10))
    await asyncio.sleep(0.3)
    began = loop.time()
    await carrier.bus.publish([record(run)])
    assert [r.key for r in await waiting] == [run.encode()]
    assert loop.time() - began < 1.5
    await consumer.stop()


async def test_a_carrier_that_is_down_is_told_within_the_deadline_and_works_again_after(carrier: Carrier) -> None:
    run = fresh()
    consumer = carrier.bus.consumer(run, [TOPIC], starting_at(await carrier.bus.ends([TOPIC])))
    await consumer.start()
    try:
        await carrier.bus.publish([record(f"{run}-before")])
        assert len(await drained(consumer, 1)) == 1
        await _refused_while_down(carrier, run)
        await _published_soon(carrier, run)
        await _read_soon(consumer, f"{run}-after".encode())
    finally:
        await consumer.stop()


async def _refused_while_down(carrier: Carrier, run: str) -> None:
    loop = asyncio.get_running_loop()
    await carrier.down()
    try:
        began = loop.time()
        with pytest.raises(BusUnavailable):
            await carrier.bus.publish([record(f"{run}-during")], 1.5)
        assert loop.time() - began < 2
    finally:
        await carrier.up()


async def _published_soon(carrier: Carrier, run: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                return await carrier.bus.publish([record(f"{run}-after")])
            except BusUnavailable:
                await asyncio.sleep(0.1)


async def _read_soon(consumer: Consumer, key: bytes) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if key in {r.key for r in await consumer.poll(100, 0.5)}:
                    return
            except BusUnavailable:
                await asyncio.sleep(0.1)
