"""Quix Streams: duplicates and states in RocksDB with a changelog, at least once; touchpoints by a sink's batches."""

import logging
import tempfile
from typing import Any

from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch
from quixstreams.state import State

from bench.journey.job import folded, opened, state_of, told
from bench.journey.peers.common import BROKERS, IN, OUT, Counter, Thread
from jornada.events.codec import encode

counter = Counter()


class Tables(BatchingSink):
    """Each checkpoint's touchpoints, and the latest state and snapshot of each user."""

    def __init__(self) -> None:
        super().__init__()
        self._store = Thread()

    def write(self, batch: SinkBatch) -> None:
        touchpoints, states, handled = [], {}, 0
        for item in batch:
            handled += 1
            if item.value is not None:
                touchpoint, state, snapshot = item.value
                user = touchpoint.user_id
                touchpoints.append((user, touchpoint.occurred_at, touchpoint.message_id, encode(touchpoint)))
                states[user] = (user, state, snapshot)
        self._store.save(touchpoints, [states[user] for user in sorted(states)])
        counter.handled(handled)


def fold(value: bytes, store: State) -> Any:
    """None for a duplicate."""
    touchpoint = opened(value)
    seen = f"{touchpoint.source}/{touchpoint.message_id}"
    if store.exists(seen):
        return None
    store.set(seen, 1)
    known = folded(state_of(store.get_bytes("state")), [touchpoint])
    state = encode(known)
    store.set_bytes("state", state)
    return touchpoint, state, told(touchpoint.user_id or "", touchpoint.anonymous_id or "", known)


def main() -> None:
    app = Application(
        broker_address=BROKERS,
        consumer_group="quix",
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(),
        commit_interval=0.5,
        loglevel=logging.ERROR,
        producer_extra_config={"acks": "all", "compression.type": "zstd"},
    )
    topic = app.topic(IN, value_deserializer="bytes", key_deserializer="bytes")
    out = app.topic(OUT, value_serializer="bytes", key_serializer="bytes")
    told_ = app.dataframe(topic).apply(fold, stateful=True)
    told_.sink(Tables())
    told_.filter(lambda value: value is not None).apply(lambda value: value[2]).to_topic(out)
    counter.listen()
    app.run()


main()
