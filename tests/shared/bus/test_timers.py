"""Timers fire in order, past what another replica holds, and nobody looks without end at what is held."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from jornada.bus import timers
from jornada.bus.carrier import Bus
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.timers import Ticker, Timer
from jornada.clock import SetClock
from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId, new_id
from tests.conftest import DatabaseFactory

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)


class Replica:
    """One that takes what the `held` of others leave to it, and keeps whom it has fired."""

    def __init__(self, database: Database, held: set[Subject], until: datetime = AT) -> None:
        self.fired: list[SubjectId] = []
        self.looks = 0
        self._held, self._until = held, until
        self.ticker = Ticker(
            database=database,
            publisher=Publisher(database, cast(Bus, None)),
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


async def test_none_fires_that_is_due_after_what_is_folded(database: Database) -> None:
    whom = await wound(database, 6)
    waiting = Replica(database, set(), until=AT - timedelta(hours=5))
    assert await waiting.ticker.tick() == 4
    assert waiting.fired == [each.id for each in whom[:4]]
