"""What the peers share: commands on standard input, and a Postgres that takes a batch."""

import asyncio
import logging
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg

from bench.journey.job import ACCEPT, ADD_TOUCHPOINTS, SAVE_STATES, folded, opened, state_of, told
from jornada.events.codec import encode
from jornada.events.touchpoints import Touchpoint

BROKERS = os.environ["JORNADA_KAFKA_BROKERS"]
URL = os.environ["BENCH_DATABASE_URL"]
IN, OUT = os.environ["BENCH_TOPIC"], "bench.journeys"

Row = tuple[Any, ...]


class Counter:
    """Says `done` when so many records as were asked for are handled, all told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handled = self._wanted = 0

    def handled(self, records: int) -> None:
        """So many more are folded, stored and published."""
        with self._lock:
            self._handled += records
            self._tell()

    def listen(self) -> None:
        """Says `ready` and takes commands, in a thread of its own."""
        print("ready", flush=True)  # noqa: T201
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            with self._lock:
                self._wanted += int(line)
                self._tell()
        os._exit(0)

    def _tell(self) -> None:
        if 0 < self._wanted <= self._handled:
            print("done", flush=True)  # noqa: T201
            self._wanted, self._handled = 0, self._handled - self._wanted


class Store:
    """The tables of the job, through one connection."""

    def __init__(self) -> None:
        self._connection: Any = None

    async def start(self) -> None:
        self._connection = await asyncpg.connect(URL)

    async def accepted(self, ids: Sequence[tuple[str, str]]) -> set[str]:
        """Those message ids that were never seen."""
        rows = await self._connection.fetch(ACCEPT, [each for each, _ in ids], [each for _, each in ids])
        return {row["message_id"] for row in rows}

    async def states(self, users: Sequence[str]) -> Mapping[str, bytes]:
        """What is stored of the users."""
        rows = await self._connection.fetch("select customer, state from states where customer = any($1)", users)
        return {row["customer"]: row["state"] for row in rows}

    async def save(self, touchpoints: Sequence[Row], states: Sequence[Row]) -> None:
        """Adds touchpoints, replaces states."""
        if touchpoints:
            await self._connection.execute(ADD_TOUCHPOINTS, *map(list, zip(*touchpoints, strict=True)))
            await self._connection.execute(SAVE_STATES, *map(list, zip(*states, strict=True)))

    async def fold(self, values: Sequence[bytes]) -> Mapping[str, bytes]:
        """Folds a batch in one transaction; the snapshots to publish, by user."""
        fresh: dict[str, list[Touchpoint]] = defaultdict(list)
        touchpoints = {each.message_id: each for each in map(opened, values)}
        async with self.transaction():
            new = await self.accepted([(each.source, each.message_id) for each in touchpoints.values()])
            for each in touchpoints.values():
                if each.message_id in new:
                    fresh[each.user_id or ""].append(each)
            before = await self.states(list(fresh))
            states = {user: folded(state_of(before.get(user)), theirs) for user, theirs in fresh.items()}
            snapshots = {user: told(user, theirs[0].anonymous_id or "", states[user]) for user, theirs in fresh.items()}
            await self.save(
                [
                    (user, each.occurred_at, each.message_id, encode(each))
                    for user, theirs in fresh.items()
                    for each in theirs
                ],
                [(user, encode(states[user]), snapshots[user]) for user in sorted(states)],
            )
        return snapshots

    def transaction(self) -> Any:
        """One for all of a batch."""
        return self._connection.transaction()


class Thread:
    """A store for a framework without asyncio: a loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._store = Store()
        self._do(self._store.start)

    def save(self, touchpoints: Sequence[Row], states: Sequence[Row]) -> None:
        """As the store does, in one transaction."""

        async def act() -> None:
            async with self._store.transaction():
                await self._store.save(touchpoints, states)

        self._do(act)

    def _do(self, act: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(act(), self._loop).result()


async def run_faust(app: Any, store: Store, counter: Counter) -> None:
    """Runs an application of Faust's until it is stopped."""
    logging.basicConfig(level=logging.ERROR)
    await store.start()
    await app.start()
    counter.listen()
    await app.wait_until_stopped()
