"""Whoever is folded late, in whatever parts, however far behind timers are: crossings are those found in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.bus import timers
from jornada.bus.timers import Timer
from jornada.bus.worker import Outdated
from jornada.events import Billing, Erased, Follows, JourneySnapshot, Measures, MergedInto, decode, encode
from jornada.instants import micros
from services.scoring.domain.pending import MOST
from services.scoring.domain.scores import FOLD
from services.scoring.rescoring import Rescoring
from services.scoring.store.facts import RESCORE
from tests.scoring.domain.test_streams import Crossed, by_timers, streams
from tests.scoring.harness import Scoring
from tests.scoring.journeys import ALL, AT, score, subject_id, use

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
GAP_DAYS = 15
WATCHED_DAYS = 60
END = AT + timedelta(days=WATCHED_DAYS)


class Batch(NamedTuple):
    """Journeys that are folded at once, when, and whether timers are looked at before and after.

    `journey_too`: journey was late as well, and told them only then.
    """

    journeys: int
    late: timedelta
    journey_too: bool
    looks: tuple[bool, bool]


def told_late(scoring: Scoring, version: int, at: datetime, name: str = "ana") -> JourneySnapshot:
    """A journey after the one before, with a touchpoint at an instant."""
    follows = Follows(version=version - 1, differs_from=at)
    return scoring.journey(name, version=version, as_of=at, live_at=at, follows=follows)


async def silent(scoring: Scoring) -> datetime:
    """Somebody turns yellow by silence at an instant; an hour later no timer has fired."""
    await scoring.seen(scoring.journey())
    due = (await scoring.due())["health"]
    scoring.clock.at = due + HOUR
    return due


async def versions_pending(scoring: Scoring) -> list[int]:
    """The journeys that are still to be judged before the stored one."""
    rows = await scoring.rows("select journey_version from pending order by 1")
    return [row["journey_version"] for row in rows]


def crossed(scoring: Scoring) -> list[tuple[str, datetime]]:
    """The crossings published: to which band, and when."""
    return [(each.to, each.at) for each in scoring.crossings()]


async def test_who_comes_back_before_the_timer_fires_is_published_at_once_and_judged_when_it_does(
    scoring: Scoring,
) -> None:
    due = await silent(scoring)
    back_at = due + HOUR / 2
    await scoring.seen(told_late(scoring, 2, back_at))
    assert scoring.scores()[-1].journey_version == 2
    assert (scoring.scores()[-1].health.band, crossed(scoring)) == ("green", [])
    assert (await versions_pending(scoring), (await scoring.due())["health"]) == ([1], due)
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == [("yellow", due), ("green", back_at)]
    assert [each.ordinal for each in scoring.crossings()] == [1, 2]
    assert await versions_pending(scoring) == []
    assert (await scoring.due())["health"] > due + HOUR


async def test_silence_that_turns_twice_before_somebody_is_back_is_told_twice_and_publishes_nothing_old(
    scoring: Scoring,
) -> None:
    due = await silent(scoring)
    back_at = AT + timedelta(days=60)
    scoring.clock.at = back_at + HOUR
    await scoring.seen(told_late(scoring, 2, back_at))
    published = len(scoring.scores())

    async def soon_after_due() -> datetime:
        return due + HOUR

    await scoring.pass_to(back_at + HOUR, soon_after_due)
    assert crossed(scoring) == [("yellow", due)]
    assert (await versions_pending(scoring), len(scoring.scores())) == ([1], published)
    await scoring.pass_to(back_at + HOUR)
    assert [to for to, _ in crossed(scoring)] == ["yellow", "red", "green"]
    assert crossed(scoring)[2][1] == back_at
    assert {each.journey_version for each in scoring.scores()[published - 1 :]} == {2}


async def test_who_was_active_before_the_timer_was_due_is_never_called_silent(scoring: Scoring) -> None:
    due = await silent(scoring)
    await scoring.seen(told_late(scoring, 2, due + HOUR / 2))
    late = msgspec.structs.replace(
        told_late(scoring, 3, due + HOUR / 2), follows=Follows(version=2, differs_from=due - HOUR / 2)
    )
    await scoring.seen(late)
    assert await versions_pending(scoring) == []
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == []


@pytest.mark.parametrize("follows", [None, Follows(version=7, differs_from=AT + timedelta(days=90))])
async def test_of_whom_nobody_knows_what_is_new_only_the_newest_journey_is_judged(
    scoring: Scoring, follows: Follows | None
) -> None:
    due = await silent(scoring)
    await scoring.seen(msgspec.structs.replace(told_late(scoring, 2, due + HOUR / 2), follows=follows))
    assert await versions_pending(scoring) == []
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == []


async def test_a_live_journey_that_silence_has_turned_since_is_told_by_its_timer_alone(scoring: Scoring) -> None:
    scoring.clock.at = AT + timedelta(days=60)
    await scoring.seen(scoring.journey(live_at=AT))
    assert (scoring.scores()[-1].health.band, scoring.scores()[-1].as_of) == ("red", AT + timedelta(days=60))
    assert crossed(scoring) == []
    due = (await scoring.due())["health"]
    assert AT < due < scoring.clock.at
    await scoring.pass_to(AT + timedelta(days=60))
    assert [to for to, _ in crossed(scoring)] == ["yellow", "red"]
    assert crossed(scoring)[0][1] == due
    assert min(each.as_of for each in scoring.scores()) == AT + timedelta(days=60), "published scores go no way back"


async def test_who_was_well_enough_to_leave_a_band_when_heard_of_has_left_it_though_time_took_it_back(
    scoring: Scoring,
) -> None:
    bad = Measures(use=use(AT), billing=Billing(cancels_at=AT + timedelta(days=90)))
    await scoring.seen(scoring.journey(measures=bad))
    well = scoring.journey(version=2, live_at=AT + TICK, follows=Follows(version=1, differs_from=AT))
    between = next(each for each in range(1, 60) if 70 < _health(well, AT + timedelta(days=each)) < 75)
    scoring.clock.at = AT + timedelta(days=between)
    await scoring.seen(well)
    assert crossed(scoring) == [("red", AT), ("green", AT)]


def _health(journey: JourneySnapshot, at: datetime) -> float:
    found = score(journey, ALL, at).health.score
    assert found is not None
    return found


@pytest.mark.parametrize("end", [Erased, MergedInto])
async def test_nothing_is_pending_of_who_is_no_more(scoring: Scoring, end: type[Erased | MergedInto]) -> None:
    due = await silent(scoring)
    await scoring.seen(told_late(scoring, 2, due + HOUR / 2))
    assert await versions_pending(scoring) == [1]
    whom: dict[str, Any] = {"workspace": scoring.workspace, "subject_type": "customer", "subject_id": subject_id("ana")}
    whom |= {"version": 3} | ({"into": subject_id("bia")} if end is MergedInto else {})
    await scoring.seen(end(**whom))
    assert await versions_pending(scoring) == []
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == []


async def test_a_rebuild_in_between_tells_the_same_once(scoring: Scoring) -> None:
    due = await silent(scoring)
    log = [scoring.journey(), told_late(scoring, 2, due + HOUR / 2), told_late(scoring, 3, due + HOUR * 0.75)]
    await scoring.seen(*log[1:])
    assert await versions_pending(scoring) == [1, 2]
    for table in ("subjects", "history", "identifiers"):
        await scoring.rows(f"delete from {table}")
    for each in log:
        await scoring.seen(each)
    assert await versions_pending(scoring) == [1, 2]
    for _ in range(2):
        await scoring.pass_to(due + HOUR)
        assert crossed(scoring) == [("yellow", due), ("green", due + HOUR / 2)]
        await scoring.seen(*log)


async def test_who_is_scored_again_meanwhile_is_still_judged_by_the_timer(scoring: Scoring) -> None:
    due = await silent(scoring)
    await scoring.seen(told_late(scoring, 2, due + HOUR / 2))

    async def before_due() -> datetime:
        return due - HOUR

    async with scoring.database.transaction([scoring.workspace]) as connection:
        await timers.put(connection, [Timer(scoring.workspace, subject_id("ana"), RESCORE, AT)])
    assert await scoring.pass_to(due + HOUR, before_due) == 1
    assert (await versions_pending(scoring), crossed(scoring)) == ([1], [])
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == [("yellow", due), ("green", due + HOUR / 2)]


async def test_of_very_many_the_last_count_as_one(scoring: Scoring) -> None:
    due = await silent(scoring)
    instants = [due + timedelta(minutes=each) for each in range(1, MOST + 10)]
    await scoring.seen(*(told_late(scoring, version, each) for version, each in enumerate(instants, 2)))
    assert await versions_pending(scoring) == list(range(1, MOST + 1))
    await scoring.pass_to(due + HOUR)
    assert crossed(scoring) == [("yellow", due), ("green", instants[0])]
    assert scoring.scores()[-1].journey_version == MOST + 10


async def test_a_score_of_newer_rules_stops_whoever_folds_or_fires_and_is_not_made_again(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    await scoring.rows("update subjects set grounds = $1", f"{FOLD + 1}/0/adoption")
    with pytest.raises(Outdated):
        await scoring.seen(scoring.journey(version=2))
    with pytest.raises(Outdated):
        await scoring.pass_to(AT + timedelta(days=90))
    assert await Rescoring(scoring.database, scoring.clock).ask() == 0
    assert len(scoring.scores()) == 1
    await scoring.rows("delete from subjects")  # Other tests' tickers find its timers.


_batches = st.builds(
    Batch,
    journeys=st.integers(1, 4),
    late=st.integers(0, 20 * 1_440).map(lambda minutes: timedelta(minutes=minutes)),
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
        await self._look(max(self.scoring.clock.at, END))
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
            return min(at, *(each - TICK for each in [*waiting, END]))

        await self.scoring.pass_to(at, folded_until)


def _following(journey: JourneySnapshot, scoring: Scoring, before: JourneySnapshot | None) -> JourneySnapshot:
    follows = None if before is None else Follows(version=before.version, differs_from=journey.as_of)
    return msgspec.structs.replace(journey, workspace=scoring.workspace, follows=follows)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(stream=streams(GAP_DAYS), batches=st.lists(_batches, max_size=4))
async def test_late_folds_in_batches_find_what_is_found_in_time(
    scoring: Scoring, stream: list[JourneySnapshot], batches: list[Batch]
) -> None:
    scoring = Scoring(scoring.database)
    stream = [decode(encode(each), JourneySnapshot) for each in stream]  # As journey tells them, without their people.
    found = await Replayed(scoring, stream).live(batches)
    assert found == sorted(by_timers(stream, WATCHED_DAYS))
    assert await scoring.rows("select 1 from pending") == []
    untold = "select 1 from crossings where score = 'health' and announced_at is null"
    assert await scoring.rows(untold) == []
