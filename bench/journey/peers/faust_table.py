"""Faust, a record at a time: duplicates and states in RocksDB with a changelog; the rest by a timer.

At least once. Faust forbids writing to a table what is taken in batches.
"""

import asyncio
import tempfile
from typing import Any

import faust

from bench.journey.job import folded, opened, state_of, told
from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Store, run_faust
from jornada.events.codec import encode

app = faust.App(
    "faust-table",
    broker=f"kafka://{BROKERS}",
    broker_commit_interval=0.5,
    producer_compression_type="zstd",
    store="rocksdb://",
    datadir=tempfile.mkdtemp(),
    topic_partitions=12,
    cython_optimizations=True,
    web_enabled=False,
)
touchpoints = app.topic(IN, value_serializer="raw")
snapshots = app.topic(OUT, value_serializer="raw")
table = app.Table("known", key_type=bytes, value_type=bytes)
counter, store = Counter(), Store()
waiting: list[tuple[Any, Any, Any, bytes]] = []


@app.agent(touchpoints)
async def fold(stream: Any) -> None:
    """Has duplicates stored and told again, as a crash may have kept the first from being."""
    stream = stream.noack()
    async for event in stream.events():
        touchpoint = opened(event.value)
        user = f"state/{touchpoint.user_id}".encode()
        seen = f"seen/{touchpoint.source}/{touchpoint.message_id}".encode()
        state = table.get(user)
        if seen not in table:
            state = table[user] = encode(folded(state_of(state), [touchpoint]))
            table[seen] = b"1"
        waiting.append((stream, event, touchpoint, state))


@app.timer(0.5)
async def tell() -> None:
    """Stores and publishes what was folded, then acks it."""
    if not waiting:
        return
    batch = waiting.copy()
    waiting.clear()
    rows = {each.message_id: (each.user_id, each.occurred_at, each.message_id, encode(each)) for _, _, each, _ in batch}
    latest = {each.user_id or "": (each.anonymous_id or "", state) for _, _, each, state in batch}
    fresh = {user: told(user, device, state_of(state)) for user, (device, state) in latest.items()}
    async with store.transaction():
        await store.save(list(rows.values()), [(user, latest[user][1], fresh[user]) for user in sorted(fresh)])
    await asyncio.gather(*[await snapshots.send(key=user.encode(), value=snapshot) for user, snapshot in fresh.items()])
    for stream, event, _, _ in batch:
        await stream.ack(event)
    counter.handled(len(batch))


asyncio.run(run_faust(app, store, counter))
