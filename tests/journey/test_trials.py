"""Trials: when the latest one began and ends, whoever says so first, and what time makes of it by itself."""

from typing import Any

import pytest

from jornada.db import Database
from jornada.events import Billing, JourneySnapshot, Touchpoint
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_measures import measured
from tests.journey.test_segments import define

ENDING = {"until": "billing.trial_ends_at", "at_most": "7 days"}


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def told(n: str, days: float, event: str, user_id: str | None = "ana", **given: Any) -> Touchpoint:
    return touchpoint(n, days, event=event, user_id=user_id, properties=given)


def started(n: str, days: float, ends: float | None, **more: Any) -> Touchpoint:
    return told(n, days, "Trial Started", **({} if ends is None else {"trial_ends_at": at(ends).isoformat()}), **more)


def trial(*path: Touchpoint) -> tuple[Any, Any]:
    billing = measured(*path).billing or Billing()
    return billing.trial_started_at, billing.trial_ends_at


def test_a_trial_ends_when_it_says_or_when_somebody_says_that_it_did() -> None:
    assert trial() == (None, None)
    assert trial(started("m1", 1, 15)) == (at(1), at(15))
    assert trial(started("m1", 1, 15), told("m2", 9, "Trial Ended")) == (at(1), at(9))
    assert trial(told("m2", 9, "Trial Ended")) == (None, at(9))
    assert trial(told("m2", 0.5, "Trial Ended"), started("m1", 1, 15)) == (at(1), at(15))


def test_a_trial_that_starts_again_has_the_end_that_it_names_and_no_other() -> None:
    assert trial(started("m1", 1, 15), started("m2", 10, 29)) == (at(10), at(29))
    assert trial(started("m1", 1, 15), started("m2", 10, None)) == (at(10), None)
    assert trial(started("m2", 1, 15), started("m1", 1, 29)) == (at(1), at(15))


@pytest.mark.parametrize("event", ["Subscription Started", "Subscription Renewed"])
def test_whoever_pays_is_no_longer_trying(event: str) -> None:
    begun = started("m1", 1, 15)
    assert trial(begun, told("m2", 5, event), told("m3", 9, event)) == (at(1), at(5))
    assert trial(started("m1", 1, None), told("m2", 5, event)) == (at(1), at(5))
    assert trial(begun, told("m2", 5, event), told("m3", 15, "Trial Ended")) == (at(1), at(5))
    assert trial(begun, told("m2", 20, event)) == (at(1), at(15))
    assert trial(begun, told("m0", 0.5, event), told("m2", 1, event)) == (at(1), at(15))
    assert trial(begun, told("m2", 5, "Payment Failed"), told("m3", 6, "Subscription Cancelled")) == (at(1), at(15))


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ({"trial_ends_at": "2026-01-15"}, at(14)),
        ({"trial_ends_at": "2026-01-15T00:00:00-03:00"}, at(14.125)),
        ({"trial_end_date": "2026-01-15T00:00:00Z"}, at(14)),
        ({"trial_ends_at": "2026-01-15", "trial_end_date": "2026-01-31"}, at(14)),
        ({"trial_ends_at": "soon"}, None),
        ({"trial_ends_at": 1768435200}, None),
        ({"trial_ends_at": None}, None),
    ],
)
def test_the_end_is_read_as_every_date_is(said: dict[str, Any], ends: Any) -> None:
    assert trial(told("m1", 1, "Trial Started", **said)) == (at(1), ends)


async def test_an_account_tries_as_its_people_do_until_its_own_contract_starts(database: Database) -> None:
    folding = Folding(database)

    async def acme() -> tuple[Any, Any]:
        document = await folding.told("account", "acme")
        assert document is not None
        assert document.measures.billing is not None
        return document.measures.billing.trial_started_at, document.measures.billing.trial_ends_at

    await folding.fold(
        touchpoint("g1", 0, type="group", user_id="ana", group_id="acme"),
        touchpoint("g2", 0, type="group", user_id="bia", group_id="acme"),
        started("m1", 1, 15), started("m2", 2, 16, user_id="bia"), told("m3", 3, "Subscription Started"),
    )  # fmt: skip
    while await folding.refolder.work():
        pass
    assert await acme() == (at(2), at(16))
    await folding.fold(touchpoint("m4", 6, event="Subscription Started", group_id="acme", role="billing"))
    while await folding.refolder.work():
        pass
    assert await acme() == (at(2), at(6))
    assert (await folding.told("account", "acme", as_of=at(1.5))) is not None
    bia = await folding.told("user_id", "bia")
    assert bia is not None
    assert bia.measures.billing == Billing(trial_started_at=at(2), trial_ends_at=at(16))


async def test_a_trial_that_ends_within_a_week_becomes_true_by_itself_until_it_is_over(database: Database) -> None:
    folding = Folding(database, now=at(2))
    await define(folding, {"ending": ENDING})
    await folding.fold(started("m1", 1, 15))
    ticker = folding.ticker()
    id_ = await folding.id_of("user_id", "ana")
    assert id_ is not None

    async def segments(days: float) -> list[Any]:
        folding.clock.at = at(days)
        await ticker.tick()
        event = folding.topic.last(id_)
        assert isinstance(event, JourneySnapshot)
        return [(each.name, each.entered_at) for each in event.segments]

    assert await segments(7.999) == []
    assert await segments(8) == [("ending", at(8))]
    assert await segments(15.001) == []
    await folding.fold(started("m2", 16, 20))
    assert await segments(16) == [("ending", at(16))]
    await folding.fold(told("m3", 17, "Subscription Started"))
    assert await segments(17.001) == []
