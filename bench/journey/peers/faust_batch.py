"""Faust, a batch a turn of its agent: duplicates, states and touchpoints in Postgres, one transaction a batch."""

import asyncio
from typing import Any

import faust

from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Store, run_faust

app = faust.App(
    "faust-batch",
    broker=f"kafka://{BROKERS}",
    broker_commit_interval=0.5,
    producer_compression_type="zstd",
    cython_optimizations=True,
    web_enabled=False,
)
touchpoints = app.topic(IN, value_serializer="raw")
snapshots = app.topic(OUT, value_serializer="raw")
counter, store = Counter(), Store()


@app.agent(touchpoints)
async def fold(stream: Any) -> None:
    """Acks what is published: Faust's own `take` acks a batch that failed, too."""
    async for events in stream.noack_take(2_000, within=0.1):
        fresh = await store.fold([event.value for event in events])
        await asyncio.gather(
            *[await snapshots.send(key=user.encode(), value=snapshot) for user, snapshot in fresh.items()]
        )
        for event in events:
            await stream.ack(event)
        counter.handled(len(events))


asyncio.run(run_faust(app, store, counter))
