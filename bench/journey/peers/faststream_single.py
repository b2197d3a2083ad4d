"""FastStream, a record a call: duplicates, state and touchpoint in Postgres, one transaction a record."""

import asyncio

from faststream import FastStream
from faststream.kafka import KafkaBroker

from bench.journey.job import folded, opened, state_of, told
from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Store
from jornada.events.codec import encode

broker = KafkaBroker(BROKERS, acks="all")
counter, store = Counter(), Store()


@broker.subscriber(IN, group_id="faststream-single", auto_offset_reset="earliest", decoder=lambda m: m.body)
async def fold(value: bytes) -> None:
    touchpoint = opened(value)
    user = touchpoint.user_id or ""
    async with store.transaction():
        fresh = await store.accepted([(touchpoint.source, touchpoint.message_id)])
        if fresh:
            before = await store.states([user])
            state = folded(state_of(before.get(user)), [touchpoint])
            snapshot = told(user, touchpoint.anonymous_id or "", state)
            await store.save(
                [(user, touchpoint.occurred_at, touchpoint.message_id, encode(touchpoint))],
                [(user, encode(state), snapshot)],
            )
    if fresh:
        await broker.publish(snapshot, topic=OUT, key=user.encode())
    counter.handled(1)


async def main() -> None:
    await store.start()
    app = FastStream(broker)
    app.after_startup(counter.listen)
    await app.run()


asyncio.run(main())
