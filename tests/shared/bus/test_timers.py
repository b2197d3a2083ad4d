"""Timers fire in order, past what another replica holds, and nobody looks without end at what is held."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from jornada.bus import timers
from jornada.bus.carrier import Record
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.timers import Ticker, Timer
from jornada.clock import SetClock
from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId, new_id
from tests.conftest import DatabaseFactory
from tests.shared.worker.toy import Script

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)


class Replica:
    """One that takes what the `held` of others leave to it, and keeps whom it has fired."""

    def __init__(self, database: Database, held: set[Subject], until: datetime = AT) -> None:
        self.fired: list[SubjectId] = []
        self.looks = 0
        self._held, self._until = held, until
        self.bus = Script()
        self.publisher = Publisher(database, self.bus)
        self.ticker = Ticker(
            database=database,
            publisher=self.publisher,
            clock=SetClock(AT),
            hold=self.hold,
            fire=self.fire,
            folded_until=self.folded_until,
            most=2,
        )

    async def folded_until(self) -> datetime:
        return self._until

    async def hold(self, connection: Connection, wanted: Collection[Subject]) -> Collection[Subject]:
        self.looks += 1
        return set(wanted) - self._held

    async def fire(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        self.fired += [timer.subject for timer in due]
        await timers.drop(connection, [timer[:3] for timer in due])
        return {}


@pytest.fixture
async def database(database_for: DatabaseFactory) -> Database:
    database = await database_for("journey")
    async with database.transaction(role="jornada_journey_clock") as connection:
        workspaces = [row["workspace"] for row in await connection.fetch("select distinct workspace from timers")]
    async with database.transaction(workspaces) as connection:
        await connection.execute("delete from timers")
    return database


async def wound(database: Database, many: int) -> list[Subject]:
    """So many subjects, the first due the longest, two at every instant."""
    workspace = WorkspaceId(new_id())
    whom = [Subject(workspace, SubjectId(new_id())) for _ in range(many)]
    async with database.transaction([workspace]) as connection:
        due = [Timer(*each, "t", AT - timedelta(hours=many - number // 2)) for number, each in enumerate(whom)]
        await timers.put(connection, due)
    return whom


async def test_a_second_replica_takes_what_the_first_does_not_hold_and_looks_once(database: Database) -> None:
    whom = await wound(database, 7)
    second = Replica(database, set(whom[:5]))
    assert await second.ticker.tick() == 2
    assert (second.fired, second.looks) == ([each.id for each in whom[5:]], 4)
    first = Replica(database, set())
    assert await first.ticker.tick() == 5
    assert first.fired == [each.id for each in whom[:5]]
    assert await first.ticker.tick() == 0


async def test_where_all_is_held_it_is_looked_at_once(database: Database) -> None:
    whom = await wound(database, 4)
    second = Replica(database, set(whom))
    assert (await second.ticker.tick(), second.looks) == (0, 2)


async def test_one_that_was_moved_meanwhile_does_not_fire(database: Database) -> None:
    whom = await wound(database, 2)

    class Moving(Replica):
        async def hold(self, connection: Connection, wanted: Collection[Subject]) -> Collection[Subject]:
            await timers.put(connection, [Timer(*whom[0], "t", AT + timedelta(days=1))])
            return wanted

    replica = Moving(database, set())
    assert (await replica.ticker.tick(), replica.fired) == (1, [whom[1].id])


async def test_what_a_fire_puts_into_the_outbox_is_told_at_once_and_else_nobody_looks(database: Database) -> None:
    told = [(new_id(), Record("t", b"key", b"%d" % number)) for number in range(1_500)]

    class Telling(Replica):
        async def fire(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
            await self.publisher.hold(connection, due[0].workspace, told)
            return await super().fire(connection, due)

    (whom,) = await wound(database, 1)
    replica = Telling(database, set())
    assert await replica.ticker.tick() == 1
    assert [each.value for each in replica.bus.published] == [record.value for _, record in told]

    async with database.transaction([whom.workspace]) as connection:
        await replica.publisher.hold(connection, whom.workspace, told[:1])
        await timers.put(connection, [Timer(*whom, "t", AT)])
    silent = Replica(database, set())
    assert (await silent.ticker.tick(), silent.bus.published) == (1, [])
    await silent.publisher.drain([whom.workspace])
    assert len(silent.bus.published) == 1


async def test_none_fires_that_is_due_after_what_is_folded(database: Database) -> None:
    whom = await wound(database, 6)
    waiting = Replica(database, set(), until=AT - timedelta(hours=5))
    assert await waiting.ticker.tick() == 4
    assert waiting.fired == [each.id for each in whom[:4]]
