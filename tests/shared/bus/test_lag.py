"""How far a service is behind, where the stream takes its time to say so."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from jornada.bus.carrier import Bus, Partition
from jornada.bus.lag import LagMeter
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import SetClock
from jornada.db.since import tell_since
from jornada.events import SubjectId, WorkspaceId, new_id
from services.journey.store import accounts
from tests.conftest import DatabaseFactory

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
APPENDED_AT = AT - timedelta(seconds=1)


class Slow:
    """A stream with one record that waits, which takes two seconds to tell since when."""

    carrier = "slow"

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {Partition(topic, 0): 3 for topic in topics}

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {Partition(topic, 0): 2 for topic in topics}

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime:
        self._clock.at += timedelta(seconds=2)
        return APPENDED_AT


async def test_what_came_before_the_oldest_that_waits_is_folded_however_long_it_takes_to_ask(
    database_for: DatabaseFactory,
) -> None:
    clock = SetClock(AT)
    lag = LagMeter(
        bus=cast(Bus, Slow(clock)), database=await database_for("journey"), group="g", topics=["t"], clock=clock
    )
    assert await lag.folded_until() == APPENDED_AT
    assert (await lag.read()).oldest_waiting_seconds == 5


class Idle(Slow):
    """A stream on which there is nothing."""

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {Partition(topic, 0): 0 for topic in topics}


async def test_what_lies_in_a_queue_or_is_unpublished_waits_since_its_record_was_appended(
    database_for: DatabaseFactory,
) -> None:
    database, clock = await database_for("journey"), SetClock(AT)
    bus = cast(Bus, Idle(clock))
    lag = LagMeter(bus=bus, database=database, group="g", topics=["t"], clock=clock, queues=["refolds"])
    publisher = Publisher(database, bus)
    workspace = WorkspaceId(new_id())
    account = Subject(workspace, SubjectId(new_id()))
    try:
        async with database.transaction([workspace]) as connection:
            await accounts.enqueue(connection, workspace, [account.id])
        assert (await lag.read()).oldest_waiting_seconds == 0, "it tells of nothing that happened"
        async with database.transaction([workspace]) as connection:
            await tell_since(connection, APPENDED_AT)
            await accounts.enqueue(connection, workspace, [account.id])
        assert (await lag.read()).oldest_waiting_seconds == 1
        assert await lag.folded_until() == AT
        async with database.transaction([workspace]) as connection:
            await tell_since(connection, (await accounts.claim(connection, workspace, [account.id])).since)
            await publisher.mark(connection, {account: 1})
        async with database.transaction([workspace]) as connection:
            await publisher.mark(connection, {account: 2})
        assert (await lag.read()).oldest_waiting_seconds == 1
    finally:
        async with database.transaction([workspace]) as connection:
            await connection.execute("delete from unpublished")
            await connection.execute("delete from refolds")
