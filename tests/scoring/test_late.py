"""Whoever is folded late, in whatever parts, however far behind timers are: crossings are those found in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import Follows, JourneySnapshot
from jornada.instants import micros
from tests.scoring.domain.test_streams import WATCHED_DAYS, Crossed, by_timers, streams
from tests.scoring.harness import Scoring
from tests.scoring.journeys import ALL, AT

TICK = timedelta(microseconds=1)


class Batch(NamedTuple):
    """Journeys that are folded at once, when, and whether timers are looked at before and after.

    `journey_too`: journey was late as well, and told them only then.
    """

    journeys: int
    late: timedelta
    journey_too: bool
    looks: tuple[bool, bool]


_batches = st.builds(
    Batch,
    journeys=st.integers(1, 4),
    late=st.integers(0, 3 * 1_440).map(lambda minutes: timedelta(minutes=minutes)),
    journey_too=st.booleans(),
    looks=st.tuples(st.booleans(), st.booleans()),
)


class Replayed:
    """A stream of journeys folded in batches, each at its instant or late, while timers wait for what is not folded."""

    def __init__(self, scoring: Scoring, stream: Sequence[JourneySnapshot]) -> None:
        self.scoring = scoring
        self.left = [_following(each, scoring, before) for each, before in zip(stream, [None, *stream], strict=False)]

    async def live(self, batches: Sequence[Batch]) -> list[Crossed]:
        """Folds everything, and lets time pass to the end; returns the crossings on record."""
        columns = "workspace, component, since"
        await self.scoring.rows(
            f"insert into connected ({columns}) select $1, *, $3 from unnest($2::text[])",
            *(self.scoring.workspace, sorted(ALL), AT),
        )
        for batch in [*batches, Batch(len(self.left), timedelta(), journey_too=False, looks=(True, True))]:
            await self._fold(batch)
        await self._look(AT + timedelta(days=WATCHED_DAYS) - TICK)
        rows = await self.scoring.rows("select score, from_band, to_band, at from crossings")
        return sorted(Crossed(row["score"], row["from_band"], row["to_band"], micros(row["at"])) for row in rows)

    async def _fold(self, batch: Batch) -> None:
        now, self.left = self.left[: batch.journeys], self.left[batch.journeys :]
        if not now:
            return
        at = max(self.scoring.clock.at, now[-1].as_of + batch.late)
        if batch.looks[0]:
            await self._look(at, now[0].as_of)
        self.scoring.clock.at = at
        await self.scoring.seen(
            *(msgspec.structs.replace(each, as_of=at) if batch.journey_too else each for each in now)
        )
        if batch.looks[1]:
            await self._look(at)

    async def _look(self, at: datetime, waits_from: datetime | None = None) -> None:
        waiting = [waits_from] if waits_from is not None else [each.as_of for each in self.left[:1]]

        async def folded_until() -> datetime:
            return min([at, *(each - TICK for each in waiting)])

        await self.scoring.pass_to(at, folded_until)


def _following(journey: JourneySnapshot, scoring: Scoring, before: JourneySnapshot | None) -> JourneySnapshot:
    follows = None if before is None else Follows(version=before.version, differs_from=journey.as_of)
    return msgspec.structs.replace(journey, workspace=scoring.workspace, follows=follows)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(stream=streams(), batches=st.lists(_batches, max_size=4))
async def test_late_folds_in_batches_find_what_is_found_in_time(
    database: Database, stream: list[JourneySnapshot], batches: list[Batch]
) -> None:
    scoring = Scoring(database)
    found = await Replayed(scoring, stream).live(batches)
    assert found == sorted(by_timers(stream))
    assert await scoring.rows("select 1 from pending") == []
    untold = "select 1 from crossings where score = 'health' and announced_at is null"
    assert await scoring.rows(untold) == []
