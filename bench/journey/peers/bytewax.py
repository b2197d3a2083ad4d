"""Bytewax, recovery off: duplicates and states in memory, touchpoints and states by a sink's batches."""

from datetime import timedelta
from typing import Any

from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import filter as keep
from bytewax.operators import input as read
from bytewax.operators import key_on, output, stateful_map
from bytewax.operators import map as mapped
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from bench.journey.job import folded, opened, told
from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Thread
from jornada.events.codec import encode
from services.journey.domain.state import EMPTY

counter = Counter()
Known = tuple[Any, set[str]]


class Tables(DynamicSink[Any]):
    """Each batch's touchpoints, and the latest state and snapshot of each user."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Part":
        return Part()


class Part(StatelessSinkPartition[Any]):
    """The one worker's."""

    def __init__(self) -> None:
        self._store = Thread()

    def write_batch(self, items: list[Any]) -> None:
        fresh = [(user, *each) for user, each in items if each is not None]
        touchpoints = [(user, each.occurred_at, each.message_id, encode(each)) for user, each, _, _ in fresh]
        states = {user: (user, encode(state), snapshot) for user, _, state, snapshot in fresh}
        self._store.save(touchpoints, [states[user] for user in sorted(states)])
        counter.handled(len(items))


def fold(known: Known | None, touchpoint: Any) -> tuple[Known, Any]:
    """None for a duplicate."""
    state, seen = known or (EMPTY, set())
    if touchpoint.message_id in seen:
        return (state, seen), None
    seen.add(touchpoint.message_id)
    state = folded(state, [touchpoint])
    return (state, seen), (touchpoint, state, told(touchpoint.user_id, touchpoint.anonymous_id or "", state))


flow = Dataflow("journeys")
source = KafkaSource([BROKERS], [IN], batch_size=2_000, add_config={"group.id": "bytewax"})
records = read("records", flow, source)
touchpoints = mapped("opened", records, lambda record: opened(record.value))
named = key_on("named", touchpoints, lambda each: each.user_id or "")
journeys = stateful_map("folded", named, fold)
output("tables", journeys, Tables())
fresh = keep("fresh", journeys, lambda each: each[1] is not None)
snapshots = mapped("told", fresh, lambda each: KafkaSinkMessage(each[0].encode(), each[1][2]))
output("snapshots", snapshots, KafkaSink([BROKERS], OUT, {"acks": "all", "compression.type": "zstd"}))
counter.listen()
cli_main(flow, epoch_interval=timedelta(seconds=0.5))
