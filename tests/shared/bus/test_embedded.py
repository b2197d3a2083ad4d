"""What only the embedded log must do for itself: one owner, retention and compaction."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from jornada.bus.carrier import BusUnavailable, LogTruncated, Partition
from jornada.bus.embedded import EmbeddedBus, LogHeld
from jornada.db import Database
from jornada.events.catalogue import JOURNEYS, TOPICS
from tests.shared.bus.carriers import TOPIC, drained, fresh, record, starting_at

_OWNER = """
import asyncio, sys
from jornada.bus.embedded import EmbeddedBus
from jornada.db import Database
async def own():
    await EmbeddedBus(Database(sys.argv[1], "bus")).start()
    print("owned", flush=True)
    await asyncio.sleep(60)
asyncio.run(own())
"""


@pytest.fixture
async def bus(postgres_url: str) -> AsyncIterator[EmbeddedBus]:
    database = Database(postgres_url, "bus")
    bus = EmbeddedBus(database)
    await bus.start()
    yield bus
    await bus.stop()
    await database.stop()


async def test_a_second_process_is_refused_by_name_and_takes_over_at_once_after_a_kill(postgres_url: str) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER, postgres_url, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"owned\n"
    database = Database(postgres_url, "bus")
    bus = EmbeddedBus(database)
    with pytest.raises(LogHeld, match="another process owns the embedded log"):
        await bus.start()
    with pytest.raises(BusUnavailable):
        await bus.publish([record(fresh())])
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    await asyncio.sleep(0.1)
    await bus.publish([record(fresh())])
    await bus.stop()
    await database.stop()


async def test_an_owner_that_was_fenced_off_writes_nothing(bus: EmbeddedBus, postgres_url: str) -> None:
    before = await bus.ends([TOPIC])
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("update bus.owner set epoch = epoch + 1")
    await connection.close()
    with pytest.raises(BusUnavailable, match="no longer ours"):
        await bus.publish([record(fresh())])
    assert await bus.ends([TOPIC]) == before
    consumer = bus.consumer(fresh(), [TOPIC], starting_at(before))
    await consumer.start()
    await consumer.poll(1, 0.1)
    assert not await consumer.commit({Partition(TOPIC, 0): 0})
    await consumer.stop()


async def test_retention_moves_the_beginning_and_refuses_positions_before_it(
    bus: EmbeddedBus, postgres_url: str
) -> None:
    run = fresh()
    before = await bus.ends([TOPIC])
    await bus.publish([record(f"{run}-{n}") for n in range(50)])
    retention = TOPICS[TOPIC].retention
    assert retention is not None
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "update bus.records set appended_at = appended_at - $1::interval", retention + timedelta(minutes=1)
    )
    await bus.publish([record(f"{run}-new")])
    await bus.tidy()
    kept = await connection.fetchval("select count(*) from bus.records where topic = $1", TOPIC)
    await connection.close()
    assert kept == 1
    consumer = bus.consumer(run, [TOPIC], starting_at(before))
    await consumer.start()
    with pytest.raises(LogTruncated):
        await drained(consumer, 1)
    await consumer.stop()


async def test_compaction_keeps_the_newest_of_each_key(bus: EmbeddedBus) -> None:
    run = fresh()
    ends = await bus.ends([JOURNEYS.name])
    for n in range(5):
        await bus.publish([record(f"{run}-{key}", b"%d" % n, JOURNEYS.name) for key in range(6)])
    await bus.publish([record(f"{run}-once", b"4", JOURNEYS.name)])
    await bus.tidy()
    consumer = bus.consumer(run, [JOURNEYS.name], starting_at(ends))
    await consumer.start()
    found = await drained(consumer, 7)
    assert await consumer.poll(10, 0.2) == []
    await consumer.stop()
    assert [r.value for r in found] == [b"4"] * 7
    assert len({r.key for r in found}) == 7
