"""A journey says which version it follows, and from when on it tells more: of touchpoints, of time, of others."""

from datetime import datetime

import pytest

from jornada.db import Database
from jornada.events import Follows, JourneySnapshot, SubjectId
from services.journey.store import accounts
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


@pytest.fixture
async def folding(database: Database) -> Folding:
    return Folding(database)


async def id_of(folding: Folding, type_: str, value: str) -> SubjectId:
    found = await folding.id_of(type_, value)
    assert found is not None
    return found


def last(folding: Folding, subject: SubjectId) -> JourneySnapshot:
    event = folding.topic.last(subject)
    assert isinstance(event, JourneySnapshot)
    return event


def following(before: JourneySnapshot, instant: datetime) -> Follows:
    return Follows(version=before.version, differs_from=instant)


async def test_of_a_customer_it_is_the_earliest_touchpoint_of_the_batch_however_late_it_came(folding: Folding) -> None:
    await folding.fold(touchpoint("1", 5, user_id="ana"))
    ana = await id_of(folding, "user_id", "ana")
    first = last(folding, ana)
    assert first.follows is None
    await folding.fold(touchpoint("2", 8, user_id="ana"), touchpoint("3", 7, user_id="ana"))
    second = last(folding, ana)
    assert second.follows == following(first, at(7))
    await folding.fold(touchpoint("4", 2, user_id="ana"), touchpoint("5", 9, user_id="bia"))
    assert last(folding, ana).follows == following(second, at(2))


async def test_of_who_turns_out_to_be_another_too_it_is_all_that_the_other_did(folding: Folding) -> None:
    await folding.fold(touchpoint("1", 1, anonymous_id="phone"), touchpoint("2", 3, user_id="ana"))
    phone = await id_of(folding, "anonymous_id", "phone")
    before = last(folding, phone)
    await folding.fold(touchpoint("3", 9, user_id="ana", anonymous_id="phone"))
    assert await id_of(folding, "user_id", "ana") == phone
    assert (last(folding, phone).touchpoints, last(folding, phone).follows) == (3, following(before, at(3)))


async def test_what_time_alone_brings_is_new_from_that_instant(database: Database) -> None:
    folding = Folding(database, at(9))
    await folding.fold(*(touchpoint(str(day), day, event="Report Exported", user_id="ana") for day in range(9)))
    ana = await id_of(folding, "user_id", "ana")
    before = last(folding, ana)
    folding.clock.at = at(300)
    await folding.ticker().tick()
    silent = last(folding, ana)
    assert silent.version > before.version
    assert silent.follows == following(before, silent.as_of)


async def test_nothing_is_said_of_who_is_told_from_all_touchpoints(folding: Folding) -> None:
    await folding.fold(touchpoint("1", 5, user_id="ana"))
    ana = await id_of(folding, "user_id", "ana")
    before = last(folding, ana).version
    async with folding.database.transaction([folding.workspace]) as connection:
        await accounts.enqueue(connection, folding.workspace, [ana])
    await folding.refolder.work()
    assert last(folding, ana).version > before
    assert last(folding, ana).follows is None


async def test_of_an_account_it_is_the_earliest_of_its_people_and_its_own_since(folding: Folding) -> None:
    group = {"type": "group", "group_id": "acme"}
    await folding.fold(touchpoint("1", 1, user_id="ana", **group), touchpoint("2", 2, user_id="bia", **group))
    await folding.refolder.work()
    acme = await id_of(folding, "account", "acme")
    first = last(folding, acme)
    assert first.follows is None
    await folding.fold(touchpoint("3", 9, user_id="ana"))
    await folding.fold(touchpoint("4", 6, user_id="bia"))
    await folding.refolder.work()
    second = last(folding, acme)
    assert second.follows == following(first, at(6))
    await folding.fold(touchpoint("5", 4, user_id="caio"))
    await folding.fold(touchpoint("6", 12, user_id="caio", **group))
    await folding.refolder.work()
    assert last(folding, acme).follows == following(second, at(4)), "who joins brings all that they did"


async def test_of_an_account_nothing_is_said_where_one_who_asks_does_not_know(folding: Folding) -> None:
    await folding.fold(touchpoint("1", 1, user_id="ana", type="group", group_id="acme"))
    await folding.refolder.work()
    acme = await id_of(folding, "account", "acme")
    await folding.fold(touchpoint("2", 2, user_id="ana"))
    async with folding.database.transaction([folding.workspace]) as connection:
        await accounts.enqueue(connection, folding.workspace, [acme])
    await folding.refolder.work()
    assert last(folding, acme).touchpoints == 2
    assert last(folding, acme).follows is None
