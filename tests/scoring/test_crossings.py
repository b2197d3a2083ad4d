"""A crossing is told exactly once, by what happens or by silence, never by history; a rebuild makes none."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import cast

import pytest

from jornada.bus.carrier import Bus, Partition
from jornada.bus.lag import LagMeter, PartitionLag
from jornada.clock import SetClock
from jornada.db import Unavailable
from jornada.db.since import tell_since
from jornada.events import Billing, JourneySnapshot, Measures, Support, derived_id
from services.journey.store import accounts
from services.scoring.sisters import Following
from tests.conftest import DatabaseFactory
from tests.scoring.harness import Scoring
from tests.scoring.journeys import ALL, AT, score, subject_id, use

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BAD = Measures(use=use(AT), support=Support(tickets=1), billing=Billing(cancels_at=AT + 20 * DAY))


def red(scoring: Scoring, name: str = "ana", version: int = 2, at: datetime = AT, **more: object) -> JourneySnapshot:
    return scoring.journey(name, version=version, measures=BAD, as_of=at, **more)


async def test_a_live_red_is_told_once(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey(live_at=AT - HOUR))
    await scoring.seen(red(scoring))
    await scoring.seen(red(scoring))
    await scoring.seen(red(scoring, version=3, live_at=AT + HOUR))
    (crossing,) = scoring.crossings()
    assert (crossing.from_, crossing.to, crossing.ordinal, crossing.value) == ("green", "red", 1, 35.0)
    assert crossing.id == derived_id(scoring.workspace, subject_id("ana"), "health", "green", "red", 1)
    assert crossing.because[0].text["en"] == "cancellation takes effect on 22 Mar 2026"
    assert crossing.at == AT


async def test_a_first_journey_that_is_red_and_live_is_a_crossing_from_the_unknown(scoring: Scoring) -> None:
    await scoring.seen(red(scoring))
    assert [(each.from_, each.to) for each in scoring.crossings()] == [("unknown", "red")]


async def test_leaving_red_is_told_and_the_next_red_is_another_crossing(scoring: Scoring) -> None:
    await scoring.seen(red(scoring))
    await scoring.seen(scoring.journey(version=3, live_at=AT + HOUR))
    await scoring.seen(red(scoring, version=4, live_at=AT + 2 * HOUR))
    assert [(each.to, each.ordinal) for each in scoring.crossings()] == [("red", 1), ("green", 2), ("red", 3)]
    assert len({each.id for each in scoring.crossings()}) == 3


async def test_a_red_reached_by_history_is_kept_and_told_to_nobody(scoring: Scoring) -> None:
    await scoring.seen(red(scoring, live_at=None))
    await scoring.pass_to(AT + 30 * DAY)
    assert scoring.crossings() == []
    assert await scoring.kept() == [("unknown", "red", False)]


async def test_the_first_live_touchpoint_that_leaves_it_red_tells_it_once(scoring: Scoring) -> None:
    await scoring.seen(red(scoring, live_at=None))
    scoring.clock.at = AT + HOUR
    await scoring.seen(red(scoring, version=3, live_at=AT + HOUR))
    await scoring.seen(red(scoring, version=4, live_at=AT + 2 * HOUR))
    (crossing,) = scoring.crossings()
    assert (crossing.at, crossing.recorded_at, crossing.ordinal) == (AT, AT + HOUR, 1)
    assert await scoring.kept() == [("unknown", "red", True)]


async def test_a_live_touchpoint_that_heals_an_untold_red_tells_nothing(scoring: Scoring) -> None:
    await scoring.seen(red(scoring, live_at=None))
    await scoring.seen(scoring.journey(version=3, live_at=AT + HOUR))
    assert scoring.crossings() == []


async def test_history_that_is_no_import_is_told_by_a_timer_24_hours_after_its_receipt(scoring: Scoring) -> None:
    await scoring.seen(red(scoring, live_at=None, history_at=AT - HOUR))
    due = AT - HOUR + 24 * HOUR
    assert (await scoring.due())["health"] == due
    await scoring.pass_to(due - timedelta(microseconds=1))
    assert scoring.crossings() == []
    await scoring.pass_to(due + 3 * HOUR)
    assert [each.recorded_at for each in scoring.crossings()] == [due]
    await scoring.pass_to(due + 90 * DAY)
    assert len(scoring.crossings()) == 1


async def test_silence_crosses_at_the_exact_instant_however_late_the_timer_fires(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    yellow_at = (await scoring.due())["health"]
    await scoring.pass_to(yellow_at + timedelta(seconds=1))
    red_at = (await scoring.due())["health"]
    await scoring.pass_to(red_at + 5 * DAY)
    told = [(each.at, each.from_, each.to, each.ordinal) for each in scoring.crossings()]
    assert told == [(yellow_at, "green", "yellow", 1), (red_at, "yellow", "red", 2)]
    assert {AT, yellow_at, red_at} <= {each.as_of for each in scoring.scores()}
    before, after = (_band(scoring, red_at - timedelta(microseconds=1)), _band(scoring, red_at))
    assert (before, after) == ("yellow", "red")
    assert "health" not in await scoring.due()


def _band(scoring: Scoring, at: datetime) -> str:
    return score(scoring.journey(), ALL, at).health.band


async def test_silence_is_not_lost_when_something_that_is_not_live_is_seen_before_the_timer(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    scoring.clock.at = AT + 60 * DAY
    await scoring.seen(scoring.journey(version=2))
    assert [each.to for each in scoring.crossings()] == ["red"]


async def test_a_timer_waits_for_what_is_in_the_log_here_and_at_journey(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    due = (await scoring.due())["health"]
    position, end, journey_waits = [1], [1], [3600.0]

    async def own() -> list[PartitionLag]:
        return [PartitionLag("journeys", 0, position[-1], end[-1])]

    async def journey() -> float:
        if journey_waits[-1] < 0:
            raise Unavailable("no answer")
        return journey_waits[-1]

    gate = Following(journey, own, scoring.clock).scored_until
    assert await scoring.pass_to(due + HOUR - timedelta(seconds=1), gate) == 0
    end.append(2)
    journey_waits.append(0.0)
    assert await scoring.pass_to(due + HOUR, gate) == 0
    position.append(2)
    end.append(3)
    journey_waits.append(-1.0)
    with pytest.raises(Unavailable):
        await scoring.pass_to(due + HOUR, gate)
    journey_waits.append(0.0)
    assert await scoring.pass_to(due + HOUR, gate) > 0, "what was appended since we asked tells of later touchpoints"


async def test_churn_risk_has_crossings_of_its_own_at_their_exact_instants_and_tells_nobody(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    await scoring.pass_to(AT + 90 * DAY)
    assert await scoring.kept("churn_risk") == [("green", "yellow", False), ("yellow", "red", False)]
    assert {each.score for each in scoring.crossings()} == {"health"}
    rows = await scoring.rows("select at, to_band from crossings where score = 'churn_risk' order by ordinal")
    for row in rows:
        before, after = (
            score(scoring.journey(), ALL, at).churn_risk.band
            for at in (row["at"] - timedelta(microseconds=1), row["at"])
        )
        assert after == row["to_band"] != before


async def test_what_is_published_of_a_red_customers_risk_follows_silence(scoring: Scoring) -> None:
    await scoring.seen(red(scoring))
    await scoring.pass_to(AT + 90 * DAY)
    published = [each.churn_risk.probability for each in scoring.scores()]
    assert all(0 < after - before < 0.0501 for before, after in pairwise(published))
    now = score(red(scoring), ALL, AT + 90 * DAY).churn_risk.probability
    assert now is not None
    assert now - published[-1] < 0.05


async def test_replaying_every_journey_makes_no_crossing_again(scoring: Scoring) -> None:
    log = [
        scoring.journey(live_at=AT - HOUR),
        red(scoring),
        scoring.journey(version=3, live_at=AT + HOUR),
        red(scoring, version=4, live_at=AT + 2 * HOUR),
        red(scoring, "bia", live_at=None),
    ]
    for each in log:
        await scoring.seen(each)
    told, kept = scoring.crossings(), await scoring.kept()
    assert (len(told), len(kept)) == (3, 4)
    for each in log:
        await scoring.seen(each)
    await scoring.seen(*log)
    assert (scoring.crossings(), await scoring.kept()) == (told, kept)


async def test_a_rebuild_of_what_is_derived_gives_the_same_scores_and_no_crossing(scoring: Scoring) -> None:
    log = [
        scoring.journey(live_at=AT - HOUR),
        red(scoring),
        scoring.journey(version=3, live_at=AT + HOUR),
        red(scoring, version=4, live_at=AT + 2 * HOUR),
        red(scoring, "bia", live_at=None),
        scoring.journey("caio"),
    ]
    for each in log:
        await scoring.seen(each)
    query = "select id, band, health, risk, red_since, band_since from subjects order by id"
    told, kept, derived, due = scoring.crossings(), await scoring.kept(), await scoring.rows(query), await scoring.due()
    for table in ("subjects", "history", "identifiers"):
        await scoring.rows(f"delete from {table}")
    for each in log:
        await scoring.seen(each)
        await scoring.pass_to(AT)
    assert (scoring.crossings(), await scoring.kept()) == (told, kept)
    assert (await scoring.rows(query), await scoring.due()) == (derived, due)


async def test_a_crossing_that_fell_due_during_a_rebuild_is_told_at_its_own_instant(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    await scoring.pass_to((await scoring.due())["health"])
    red_at = (await scoring.due())["health"]
    scoring.clock.at = red_at + DAY
    await scoring.rows("delete from subjects")
    await scoring.seen(scoring.journey())
    await scoring.pass_to(red_at + DAY)
    assert [(each.to, each.at) for each in scoring.crossings()][1:] == [("red", red_at)]


async def test_an_accounts_timer_waits_for_a_touchpoint_that_is_folded_and_not_yet_added_to_it(
    scoring: Scoring, database_for: DatabaseFactory
) -> None:
    await scoring.seen(scoring.journey("acme", type_="account"))
    due = min((await scoring.due()).values())
    journey = await database_for("journey")
    bus = cast(Bus, Quiet())
    clock = SetClock(due + HOUR)
    lag = LagMeter(bus=bus, database=journey, group="journey", topics=["t"], clock=clock, queues=["refolds"])

    async def waits() -> float:
        return (await lag.read()).oldest_waiting_seconds

    async def own() -> list[PartitionLag]:
        return []

    gate = Following(waits, own, clock).scored_until
    account = subject_id("acme")
    async with journey.transaction([scoring.workspace]) as connection:
        await tell_since(connection, due - timedelta(seconds=1))
        await accounts.enqueue(connection, scoring.workspace, [account])
    assert await scoring.pass_to(due + HOUR, gate) == 0
    async with journey.transaction([scoring.workspace]) as connection:
        await accounts.claim(connection, scoring.workspace, [account])
    assert await scoring.pass_to(due + HOUR, gate) == 1


class Quiet:
    """A stream on which there is nothing."""

    carrier = "quiet"

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}
