"""Scores of the past: what the touchpoints up to an instant give, whatever came after it."""

import random
from datetime import datetime, timedelta

import pytest

from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.instants import micros
from tests.journey.makes import at, touchpoint
from tests.scoring.domain.test_oracle import life, touchpoint_of
from tests.scoring.harness import Scoring
from tests.scoring.journeys import ALL
from tests.scoring.oracle import Event, health
from tests.scoring.test_api import Caller, caller
from tests.scoring.told import Told

__all__ = ["caller"]

DAY = timedelta(days=1)
NOW = at(200)
ANA = "/v1/customers/user_id:ana/scores"


async def connected(database: Database, workspace: WorkspaceId) -> None:
    """Every component is connected."""
    async with database.transaction([workspace]) as connection:
        await connection.execute(
            "insert into connected select $1, unnest($2::text[]), $3 on conflict do nothing",
            workspace,
            sorted(ALL),
            NOW,
        )


async def lived(scoring: Scoring, told: Told, events: list[Event]) -> None:
    """What happened, folded to what is known at the end of it all."""
    told.touchpoints = [touchpoint_of(number, event, scoring.workspace) for number, event in enumerate(events)]
    scoring.clock.at = NOW
    await scoring.seen(*told.at(NOW))


@pytest.mark.parametrize("seed", range(3))
async def test_the_past_is_what_the_raw_events_up_to_it_give(
    scoring: Scoring, caller: Caller, told: Told, database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    events = life(chance)
    await lived(scoring, told, events)
    await connected(database, scoring.workspace)
    first = min(event.at for event in events)
    for days in [first, *(chance.uniform(first, 120) for _ in range(8))]:
        until = [event for event in events if micros(at(event.at)) <= micros(at(days))]
        answer = await caller.ask(ANA, as_of=at(days).isoformat())
        expected, values = health(until, days)
        assert {each["name"]: each["value"] for each in answer["health"]["components"]} == pytest.approx(
            values, abs=2e-6
        )
        assert answer["health"]["score"] == pytest.approx(expected, abs=2e-4)
        assert datetime.fromisoformat(answer["as_of"]) == at(days)
        assert (answer["since_last"], answer["red_since"], answer["journey_version"]) == (None, None, 0)


async def test_what_comes_later_changes_nothing_of_the_past(scoring: Scoring, caller: Caller, told: Told) -> None:
    events = [touchpoint(f"m{n}", n, user_id="ana", workspace=scoring.workspace) for n in range(9)]
    told.touchpoints = events
    scoring.clock.at = NOW
    await scoring.seen(*told.at(NOW))
    before = [await caller.ask(ANA, as_of=at(day).isoformat()) for day in (0, 4, 8, 60)]
    told.touchpoints = [*events, touchpoint("later", 70, user_id="ana", workspace=scoring.workspace)]
    await scoring.seen(*told.at(NOW + DAY))
    assert [await caller.ask(ANA, as_of=at(day).isoformat()) for day in (0, 4, 8, 60)] == before


async def test_the_past_is_asked_of_journey_by_the_callers_own_token_and_the_present_is_not(
    scoring: Scoring, caller: Caller, told: Told
) -> None:
    told.touchpoints = [touchpoint("m1", 1, user_id="ana", workspace=scoring.workspace)]
    scoring.clock.at = NOW
    await scoring.seen(*told.at(NOW))
    for later in (NOW, NOW + DAY):
        await caller.ask(ANA, as_of=later.isoformat())
    assert told.asked == []
    await caller.reader().ask(ANA, as_of=at(30).isoformat())
    (request,) = told.asked
    assert request.headers["authorization"] == f"Bearer {caller.reader()._token}"
    told.away = True
    away = await caller.ask(ANA, 503, as_of=at(30).isoformat())
    assert (away["code"], bool(away["message"])) == ("unavailable", True)
    await caller.ask(ANA)


async def test_before_the_first_touchpoint_there_is_nobody(scoring: Scoring, caller: Caller, told: Told) -> None:
    told.touchpoints = [
        touchpoint("m1", 5, type="group", user_id="ana", group_id="acme", workspace=scoring.workspace),
    ]
    scoring.clock.at = NOW
    await scoring.seen(*told.at(NOW))
    early = at(4.9).isoformat()
    for path in (ANA, "/v1/accounts/account:acme/scores"):
        assert (await caller.ask(path, 404, as_of=early))["code"] == "not_found"
        assert (await caller.ask(path, as_of=at(5).isoformat()))["stage"]


async def test_an_override_is_shown_for_as_long_as_it_held(scoring: Scoring, caller: Caller, told: Told) -> None:
    told.touchpoints = [touchpoint("m1", 5, user_id="ana", workspace=scoring.workspace)]
    await scoring.seen(*told.at(NOW))
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await connection.execute(
            """insert into overrides (workspace, id, subject, band, author, reason, set_at, until_at, set_by, ended_at)
               select workspace, id, id, 'red', 'Carla', 'left', $1, $2, id, $3 from subjects""",
            at(20),
            at(60),
            at(40),
        )
    shown = {day: (await caller.ask(ANA, as_of=at(day).isoformat()))["health"]["override"] for day in (19, 20, 39, 40)}
    assert [day for day, override in shown.items() if override] == [20, 39]
