"""How far a service is behind, where the stream takes its time to say so."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from jornada.bus.carrier import Bus, Partition
from jornada.bus.lag import LagMeter
from jornada.clock import SetClock
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
