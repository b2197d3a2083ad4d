"""A raised fold: what was folded by an older one is told again in the background, a part at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from jornada.db import Database
from jornada.events import JourneySnapshot, SubjectId
from services.journey.domain.state import FOLD
from services.journey.store import portraits
from services.journey.worker import backfill, bucketing
from services.journey.worker.backfill import REST_SECONDS, Backfill
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_order import ACCOUNTS, identifiers_of

PEOPLE = [
    touchpoint(f"m{n}", n, type="group", user_id=f"user-{n}", group_id="acme", traits={"industry": str(n)})
    for n in range(5)
]


@pytest.fixture
async def database(database_for: DatabaseFactory) -> AsyncIterator[Database]:
    """One in which nobody waits, before and after."""
    database = await database_for("journey")
    await _told(database)
    yield database
    await _told(database)


async def _told(database: Database) -> None:
    folding = Folding(database)
    older = Backfill(database, folding.clock)
    while await older.ask():
        pass
    await settled(folding)


async def age(folding: Folding) -> None:
    """Makes everything stored of the workspace that of an older fold, whose states nobody can read now."""
    async with folding.database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set fold = $1, state = 'unreadable'", FOLD - 1)
        await connection.execute("update account_shares set share = '[1,[]]'")
        await connection.execute("update account_buckets set fold = $1, bucket = 'unreadable'", FOLD - 1)


async def aged(database: Database) -> Folding:
    """People whose journeys an older fold made."""
    folding = Folding(database, now=at(60))
    await folding.fold(*PEOPLE)
    await settled(folding)
    await age(folding)
    return folding


async def folds(folding: Folding) -> Sequence[int]:
    async with folding.database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch("select fold from subjects where merged_into is null order by fold, id")
    return [row["fold"] for row in rows]


async def settled(folding: Folding) -> None:
    while await folding.refolder.work():
        pass


@pytest.mark.parametrize("most", [1, bucketing.MOST])
async def test_everything_of_an_older_fold_is_told_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bucketing, "MOST", most)
    folding = Folding(database, now=at(60))
    await folding.fold(*ACCOUNTS)
    before = await folding.everything(identifiers_of(ACCOUNTS))
    await age(folding)
    older = Backfill(database, folding.clock)
    asked = len(await folds(folding))
    assert asked > 3
    assert await older.ask() == asked
    await settled(folding)
    assert set(await folds(folding)) == {FOLD}
    assert await folding.everything(identifiers_of(ACCOUNTS)) == before
    async with database.transaction([folding.workspace]) as connection:
        states = await portraits.states(connection, folding.workspace, 100, None)
        listed = await portraits.listed(connection, folding.workspace, portraits.Filter("customer"), 100, None)
    assert len(states) == asked
    for each in listed:
        assert folding.topic.last(each.subject_id).version == each.version


async def test_it_asks_for_no_more_than_so_many_and_begun_anew_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MOST", 2)
    folding = await aged(database)
    first = Backfill(database, folding.clock)
    assert await first.ask() == 2
    await settled(folding)
    assert await first.ask() == 2
    await settled(folding)
    left = [fold for fold in await folds(folding) if fold < FOLD]
    second = Backfill(database, folding.clock)
    asked = 0
    while more := await second.ask():
        asked += more
        await settled(folding)
    assert 2 <= len(left) == asked <= 3
    assert set(await folds(folding)) == {FOLD}


async def test_what_cannot_be_told_is_passed_over_and_asked_for_again_after_a_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MOST", 2)
    folding = await aged(database)
    older = Backfill(database, folding.clock)
    assert [await older.ask() for _ in range(5)] == [2, 2, 2, 0, 0]
    folding.clock.seconds += REST_SECONDS
    assert await older.ask() == 2


@pytest.mark.parametrize("most", [1, bucketing.MOST])
async def test_an_account_is_not_told_while_shares_of_its_people_are_of_an_older_fold(
    database: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(backfill, "MOST", 1)
    monkeypatch.setattr(bucketing, "MOST", most)
    folding = Folding(database, now=at(60))
    await folding.fold(*PEOPLE)
    await settled(folding)
    account = await folding.id_of("account", "acme")
    assert account is not None
    await age(folding)
    older = Backfill(database, folding.clock)
    told = set()
    while await older.ask():
        await settled(folding)
        told.add(people(folding, account))
    assert told == {5}
    assert set(await folds(folding)) == {FOLD}


def people(folding: Folding, account: SubjectId) -> int:
    event = folding.topic.last(account)
    assert isinstance(event, JourneySnapshot)
    return event.measures.people


async def test_who_merged_into_another_is_not_asked_for(database: Database) -> None:
    folding = Folding(database, now=at(60))
    await folding.fold(touchpoint("m1", 1, anonymous_id="cookie"), touchpoint("m2", 2, user_id="ana"))
    await folding.fold(touchpoint("m3", 3, anonymous_id="cookie", user_id="ana"))
    await age(folding)
    assert await Backfill(database, folding.clock).ask() == 1


async def test_the_refolder_does_it_by_itself(database: Database) -> None:
    folding = await aged(database)
    running = asyncio.create_task(folding.refolder.run())
    try:
        async with asyncio.timeout(20):
            while set(await folds(folding)) != {FOLD}:  # noqa: ASYNC110 - the rows alone tell it
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
