"""An hour in which nothing is folded: journey and scoring, with what they have stored, told of it all afterwards."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from jornada.db import Database
from jornada.events import JOURNEYS, JourneyEvent, SubjectId, Touchpoint, decode
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.scoring.harness import Scoring

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Outage:
    """Journey before scoring, in one workspace. Timers wait for what is in the log and not folded."""

    def __init__(self, journey: Database, scoring: Database) -> None:
        self.scoring = Scoring(scoring)
        self.journey = Folding(journey, at(0), self.scoring.workspace)
        self._read = 0

    def used(self, who: str, when: datetime, **more: Any) -> Touchpoint:
        """An act of use, received as it happens."""
        return self.viewed(who, when, event="Report Exported", **more)

    def viewed(self, who: str, when: datetime, **more: Any) -> Touchpoint:
        """A page view, received as it happens."""
        told: dict[str, Any] = {"user_id": who, "received_at": when, "occurred_at": when} | more
        return touchpoint(f"{who} {when}", workspace=self.journey.workspace, **told)

    async def folded(self, now: datetime, *batch: Touchpoint) -> None:
        """Folds a batch in journey, with the accounts that it changes, and what comes of it in scoring."""
        self.journey.clock.at = self.scoring.clock.at = now
        await self.journey.fold(*batch)
        await self.journey.refolder.work()
        published, self._read = self.journey.topic.records[self._read :], len(self.journey.topic.records)
        events: list[JourneyEvent] = [
            decode(each.value, JourneyEvent) for each in published if each.topic == JOURNEYS.name
        ]
        await self.scoring.seen(*(each for each in events if each.workspace == self.journey.workspace))

    async def passed(self, now: datetime, unfolded: Sequence[Touchpoint] = ()) -> None:
        """Lets timers fire, as far as everything before them is folded."""

        async def folded_until() -> datetime:
            return min([now, *(each.received_at for each in unfolded)])

        await self.scoring.pass_to(now, folded_until)

    def told(self, subject: SubjectId) -> list[tuple[str, str, datetime]]:
        """The crossings published of a subject."""
        return [(each.from_, each.to, each.at) for each in self.scoring.crossings() if each.subject_id == subject]


@pytest.fixture
async def outage(database_for: DatabaseFactory, database: Database) -> Outage:
    """Three who use the product every day for three weeks, all folded in time; Silvia is Acme's only user."""
    both = Outage(await database_for("journey"), database)
    silvia = both.used("silvia", at(0.4), type="group", group_id="acme")
    await both.folded(at(0.5), silvia)
    for day in range(1, 22):
        when = at(day + 0.5)
        await both.folded(when, *(both.used(who, when) for who in ("silvia", "alma", "bela")))
        await both.passed(when)
    return both


async def _due(both: Outage, who: SubjectId) -> datetime:
    query = "select due_at from timers where name = 'health' and subject = $1"
    [row] = await both.scoring.rows(query, who)
    due: datetime = row["due_at"]
    return due


async def _known(both: Outage, type_: str, value: str) -> SubjectId:
    found = await both.journey.id_of(type_, value)
    assert found is not None
    return found


async def test_an_account_that_fell_silent_meanwhile_is_told_too(outage: Outage) -> None:
    acme = await _known(outage, "account", "acme")
    turns_at = await _due(outage, acme)
    await outage.passed(turns_at - MINUTE)
    back = outage.used("silvia", turns_at + 30 * MINUTE)
    await outage.folded(turns_at + HOUR, back)
    assert outage.told(acme) == []
    await outage.passed(turns_at + HOUR)
    assert outage.told(acme) == [("green", "yellow", turns_at), ("yellow", "green", back.occurred_at)]


@pytest.mark.parametrize("looks", ["between", "after"])
@pytest.mark.parametrize("size", [1, 2, 6])
async def test_who_fell_silent_in_an_hour_without_anybody_folding_is_told_and_who_was_active_is_not(
    outage: Outage, size: int, looks: str
) -> None:
    silvia, alma, bela = [await _known(outage, "user_id", who) for who in ("silvia", "alma", "bela")]
    acme = await _known(outage, "account", "acme")
    turns_at = await _due(outage, silvia)
    others_turn_at = await _due(outage, alma)
    assert timedelta() < others_turn_at - turns_at < 30 * MINUTE
    assert await _due(outage, bela) == others_turn_at
    assert await _due(outage, acme) > turns_at + HOUR
    log = [
        outage.viewed("bela", others_turn_at - 21 * MINUTE),
        outage.used("alma", others_turn_at - 20 * MINUTE),
        outage.used("bela", others_turn_at - 15 * MINUTE),
        outage.used("silvia", turns_at + 30 * MINUTE),
        outage.used("silvia", turns_at + 35 * MINUTE),
        outage.used("alma", turns_at + 40 * MINUTE),
    ]
    assert [each.received_at for each in log] == sorted(each.received_at for each in log)
    back_at = turns_at + HOUR
    for start in range(0, len(log), size):
        await outage.folded(back_at, *log[start : start + size])
        if looks == "between":
            await outage.passed(back_at, log[start + size :])
    await outage.passed(back_at)
    # Of what journey folds at once the last is when it was heard of.
    healed_at = log[4].occurred_at if size == len(log) else log[3].occurred_at
    assert outage.told(silvia) == [("green", "yellow", turns_at), ("yellow", "green", healed_at)]
    assert outage.told(alma) == outage.told(bela) == outage.told(acme) == []
    assert await outage.scoring.rows("select 1 from pending") == []
