"""FastStream, a batch a call: duplicates, states and touchpoints in Postgres, one transaction a batch."""

import asyncio

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Store

broker = KafkaBroker(BROKERS, acks="all")
counter, store = Counter(), Store()


@broker.subscriber(IN, group_id="faststream-batch", batch=True, max_records=2_000, auto_offset_reset="earliest")
async def fold(message: KafkaMessage) -> None:
    values = [record.value for record in message.raw_message]
    snapshots = await store.fold(values)
    await asyncio.gather(
        *(broker.publish(each, topic=OUT, key=user.encode(), no_confirm=False) for user, each in snapshots.items())
    )
    counter.handled(len(values))


async def main() -> None:
    await store.start()
    app = FastStream(broker)
    app.after_startup(counter.listen)
    await app.run()


asyncio.run(main())
