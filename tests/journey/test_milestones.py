"""A workspace's own milestones: reached once, at the first instant at which they were true, by silence included."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from jornada.db import Database
from jornada.events import JourneySnapshot, encode
from jornada.instants import micros
from services.journey.domain.state import FOLD
from services.journey.store import in_force, memberships
from services.journey.store.memberships import Count
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_segments import QUIET, define

PRO = {"trait": "plan", "is": "pro"}
DAY = 86_400


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def planned(message_id: str, days: float, plan: str, user: str = "ana") -> Any:
    return touchpoint(message_id, days, type="identify", user_id=user, traits={"plan": plan})


def reached(told: JourneySnapshot | None) -> dict[str, datetime]:
    assert told is not None
    return {each.name: each.reached_at for each in told.measures.milestones}


async def published(folding: Folding, user: str = "ana") -> JourneySnapshot:
    id_ = await folding.id_of("user_id", user)
    assert id_ is not None
    told = folding.topic.last(id_)
    assert isinstance(told, JourneySnapshot)
    return told


async def counted(folding: Folding) -> dict[str, Count]:
    async with folding.database.transaction([folding.workspace]) as connection:
        return dict(await memberships.counts(connection, folding.workspace, "milestone"))


async def test_it_is_reached_once_and_a_late_touchpoint_moves_it(database: Database) -> None:
    folding = Folding(database, now=at(30))
    await define(folding, {"pro": PRO}, "milestone")
    await folding.fold(planned("m1", 0, "free"), planned("m3", 6, "pro"))
    await folding.fold(planned("m4", 7, "free"))
    await folding.fold(planned("m5", 9, "pro"))
    assert reached(await published(folding)) == {"pro": at(6)}
    await folding.fold(planned("m2", 4, "pro"))
    assert reached(await published(folding)) == reached(await folding.told("user_id", "ana")) == {"pro": at(4)}
    assert await counted(folding) == {"pro": Count(1, 4 * DAY)}
    for day, by_then in ((3, {}), (4, {"pro": at(4)}), (8, {"pro": at(4)})):
        assert reached(await folding.told("user_id", "ana", as_of=at(day))) == by_then
    await folding.fold(touchpoint("m0", -2, event="Report Exported", user_id="ana"))
    assert await counted(folding) == {"pro": Count(1, 6 * DAY)}


async def test_silence_alone_reaches_it_on_time_and_its_end_takes_nothing_away(database: Database) -> None:
    folding = Folding(database, now=at(2))
    await define(folding, {"quiet": QUIET}, "milestone")
    await folding.fold(touchpoint("m1", 1, event="Signed In", user_id="ana"))

    ticker = folding.ticker()
    first = {"first_value": at(1)}
    for day, by_then in ((14.999, first), (15, first | {"quiet": at(15)})):
        folding.clock.at = at(day)
        await ticker.tick()
        assert reached(await published(folding)) == by_then
    assert reached(await folding.told("user_id", "ana", as_of=at(14.999))) == first
    folding.clock.at = at(21)
    await folding.fold(touchpoint("m2", 20, event="Signed In", user_id="ana"))
    assert reached(await published(folding)) == first | {"quiet": at(15)}
    async with database.transaction([folding.workspace]) as connection:  # the next silence of 14 days is no turn
        due = await connection.fetch(
            "select from timers where workspace = $1 and due_at = $2", folding.workspace, at(34)
        )
    assert due == []


async def test_one_of_a_shipped_name_stands_in_its_place_until_it_goes(database: Database) -> None:
    folding = Folding(database, now=at(30))
    await folding.fold(
        touchpoint("m1", 1, event="Signed Up", user_id="ana"),
        touchpoint("m2", 2, event="Training Completed", user_id="ana"),
        touchpoint("m3", 3, event="Report Exported", user_id="ana"),
        touchpoint("m4", 4, event="Report Exported", user_id="ana"),
        touchpoint("m5", 5, type="group", user_id="ana", group_id="acme"),
    )
    shipped = {"first_value": at(3), "trained": at(2)}
    own = {"first_value": {"count": "custom", "at_least": 2}, "trained": PRO, "bored": QUIET}
    await define(folding, own, "milestone")
    await folding.refolder.work()
    told = await published(folding)
    assert list(reached(told).items()) == [("first_value", at(4)), ("bored", at(15))]
    assert told.measures.time_to_value_seconds == 3 * DAY
    account = await folding.id_of("account", "acme")
    assert account is not None
    of_account = folding.topic.last(account)
    assert isinstance(of_account, JourneySnapshot)
    assert reached(of_account) == reached(await folding.told("account", "acme")) == shipped
    async with database.transaction([folding.workspace]) as connection:
        for name in own:
            await in_force.define(connection, folding.workspace, "milestone", name, None, at(30))
    await folding.refolder.work()
    told = await published(folding)
    assert (reached(told), told.measures.time_to_value_seconds) == (shipped, 2 * DAY)
    assert await counted(folding) == {}


async def test_what_the_release_before_told_of_it_is_told_again(database: Database) -> None:
    folding = Folding(database, now=at(30))
    await define(folding, {"pro": PRO}, "milestone")
    await folding.fold(planned("m1", 0, "pro"), planned("m2", 1, "free"), planned("m3", 2, "pro"))
    async with database.transaction([folding.workspace]) as connection:
        version = (await in_force.read(connection, folding.workspace)).version
        as_a_segment = encode((version, {"milestone/pro": (micros(at(2)), None)}))
        await connection.execute(
            "update subjects set fold = $2, stays = $3, truths = null where workspace = $1",
            folding.workspace,
            FOLD - 1,
            as_a_segment,
        )
        await connection.execute("delete from memberships where workspace = $1", folding.workspace)
    await folding.fold(planned("m4", 3, "free"))
    assert reached(await published(folding)) == {"pro": at(0)}
    assert await counted(folding) == {"pro": Count(1, 0)}


async def test_the_median_is_that_of_all_who_reached_it(database: Database) -> None:
    folding = Folding(database, now=at(30))
    await define(folding, {"pro": PRO}, "milestone")
    for n, days in enumerate((1, 2, 9)):
        await folding.fold(planned(f"a{n}", 0, "free", f"u{n}"), planned(f"b{n}", days, "pro", f"u{n}"))
    await folding.fold(planned("c", 0, "free", "never"))
    assert await counted(folding) == {"pro": Count(3, 2 * DAY)}


async def test_a_label_is_no_change_of_what_is_in_force(database: Database) -> None:
    folding = Folding(database)
    await define(folding, {"pro": PRO}, "milestone")
    async with database.transaction([folding.workspace]) as connection:
        (before,) = await in_force.conditions(connection, folding.workspace, "milestone")
        await in_force.relabel(connection, folding.workspace, "milestone", "pro", before.version, "Pays")
        (after,) = await in_force.conditions(connection, folding.workspace, "milestone")
        assert (await in_force.read(connection, folding.workspace)).version == before.version
    assert after == before._replace(label="Pays")
    assert msgspec.json.decode(after.condition) == PRO
