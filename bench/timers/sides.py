"""`python -m bench.timers.sides ours|loop URL PENDING UNTIL`: fires what is due by then, and tells the cost as JSON.

Timer number n is due n milliseconds after the beginning; who fires one arms it again for after all the others.
"""

import hashlib
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import msgspec

from bench.replay.sides import Nowhere
from jornada.bus import timers
from jornada.bus.carrier import Bus
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.timers import Ticker, Timer
from jornada.clock import SetClock
from jornada.db import Connection, Database
from jornada.observe import logs
from jornada.runtime.main import on_loop

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
BATCH = 500
SCHEMA = """
create table timers (workspace uuid, subject uuid, name text, due_at timestamptz not null,
                     primary key (workspace, subject, name)) with (fillfactor = 80);
create index timers_due on timers (due_at);
"""
"""The same table as a service's, of the loop's own."""

FILL = """insert into {} select md5((n % 4)::text)::uuid, md5(n::text)::uuid, 'health',
          $1::timestamptz + n * interval '1 millisecond' from generate_series(1, $2::int) as n"""


class Firing:
    """What is done with a timer, whoever fires it: it is noted down, and has a next instant."""

    def __init__(self, pending: int) -> None:
        self.fired = 0
        self._after = timedelta(milliseconds=pending)
        self._digest = hashlib.sha256()

    def again(self, timer: Timer) -> Timer:
        """The timer as it is to stand."""
        self._digest.update(timer.subject.bytes)
        self.fired += 1
        return timer._replace(due_at=timer.due_at + self._after)

    def told(self) -> dict[str, Any]:
        """How many, and the hash of whom, in order."""
        return {"fired": self.fired, "whom": self._digest.hexdigest()}


async def ours(url: str, firing: Firing, until: datetime) -> None:
    """The library's ticker, as it is in a service on a schema of its own; nobody holds a subject, all is folded."""
    database = Database(url, "scoring")

    async def hold(connection: Connection, wanted: Collection[Subject]) -> Collection[Subject]:
        return wanted

    async def fire(connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        await timers.put(connection, [firing.again(each) for each in due])
        return {}

    async def folded_until() -> datetime:
        return until

    ticker = Ticker(
        database=database,
        publisher=Publisher(database, cast(Bus, Nowhere())),
        clock=SetClock(until),
        hold=hold,
        fire=fire,
        folded_until=folded_until,
        most=BATCH,
    )
    await ticker.tick()
    await database.stop()


async def loop(url: str, firing: Firing, until: datetime) -> None:
    """As many at a time in the same order, locked and armed again in one transaction; no workspace, gate or outbox."""
    connection = await asyncpg.connect(url)
    while True:
        async with connection.transaction():
            rows = await connection.fetch(
                """select workspace, subject, name, due_at from timers where due_at <= $1
                   order by due_at, workspace, subject, name limit $2 for update skip locked""",
                until,
                BATCH,
            )
            if not rows:
                break
            armed = [firing.again(Timer(*row)) for row in rows]
            await connection.execute(
                """update timers set due_at = given.due_at
                   from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
                     as given (workspace, subject, name, due_at)
                   where timers.workspace = given.workspace and timers.subject = given.subject
                     and timers.name = given.name""",
                *(list(column) for column in zip(*armed, strict=True)),
            )
    await connection.close()


async def main(side: str, url: str, pending: int, until: int) -> int:
    """Fires all that is due `until` milliseconds after the beginning."""
    firing = Firing(pending)
    began, before = time.monotonic(), time.process_time()
    await {"ours": ours, "loop": loop}[side](url, firing, BEGIN + timedelta(milliseconds=until))
    cost = {"seconds": time.monotonic() - began, "cpu": time.process_time() - before}
    sys.stdout.write(msgspec.json.encode(firing.told() | cost).decode())
    return 0


if __name__ == "__main__":
    logs.set_up(level="ERROR", readable=False)
    name, place, *numbers = sys.argv[1:]
    on_loop(main(name, place, *map(int, numbers)))
