"""FastStream, a batch a call: duplicates, states and touchpoints in Postgres, one transaction a batch."""

import asyncio
from collections import defaultdict

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.journey.job import folded, opened, state_of, told
from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Store
from jornada.events.codec import encode
from jornada.events.touchpoints import Touchpoint

broker = KafkaBroker(BROKERS, acks="all")
counter, store = Counter(), Store()


@broker.subscriber(IN, group_id="faststream-batch", batch=True, max_records=2_000, auto_offset_reset="earliest")
async def fold(message: KafkaMessage) -> None:
    values = [record.value for record in message.raw_message]
    fresh: dict[str, list[Touchpoint]] = defaultdict(list)
    touchpoints = {each.message_id: each for each in map(opened, values)}
    async with store.transaction():
        new = await store.accepted([(each.source, each.message_id) for each in touchpoints.values()])
        for each in touchpoints.values():
            if each.message_id in new:
                fresh[each.user_id or ""].append(each)
        before = await store.states(list(fresh))
        states = {user: folded(state_of(before.get(user)), theirs) for user, theirs in fresh.items()}
        snapshots = {user: told(user, theirs[0].anonymous_id or "", states[user]) for user, theirs in fresh.items()}
        await store.save(
            [(user, each.occurred_at, each.message_id, encode(each)) for user, each in _flat(fresh)],
            [(user, encode(states[user]), snapshots[user]) for user in sorted(states)],
        )
    await asyncio.gather(
        *(broker.publish(each, topic=OUT, key=user.encode(), no_confirm=False) for user, each in snapshots.items())
    )
    counter.handled(len(values))


def _flat(fresh: dict[str, list[Touchpoint]]) -> list[tuple[str, Touchpoint]]:
    return [(user, each) for user, theirs in fresh.items() for each in theirs]


async def main() -> None:
    await store.start()
    app = FastStream(broker)
    app.after_startup(counter.listen)
    await app.run()


asyncio.run(main())
