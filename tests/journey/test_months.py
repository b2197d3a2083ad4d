"""Touchpoints lie in months: made when they are needed, dropped when they are empty, and read no more than needed."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from msgspec.structs import replace

from jornada.clock import SetClock, SystemClock
from jornada.db import Connection, Database, Unavailable
from jornada.db.migrations import migrated
from jornada.events import Touchpoint, WorkspaceId, encode
from services.journey.store import months, paths, touchpoints
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.months import Months
from tests.conftest import DatabaseFactory
from tests.journey.makes import PSEUDONYMS, Folding, at, received, touchpoint
from tests.journey.upgrades import JOURNEY, migrated_to_before, owned


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def partitions(url: str) -> dict[str, str]:
    """Each partition, and its bounds."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        """select relname, pg_get_expr(relpartbound, pg_class.oid) as bounds from pg_inherits
           join pg_class on pg_class.oid = inhrelid where inhparent = 'journey.touchpoints'::regclass"""
    )
    await connection.close()
    return {row["relname"]: row["bounds"] for row in rows}


def ago(days: float) -> datetime:
    """So many days before the real now, as by it months are kept."""
    return SystemClock().now() - timedelta(days=days)


def name_of(month: datetime) -> str:
    return f"touchpoints_{month:%Y_%m}"


async def stored(folding: Folding) -> dict[str, str]:
    """The table in which each touchpoint of the workspace lies."""
    async with folding.database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch("select message_id, tableoid::regclass::text as lies from touchpoints")
    return {row["message_id"]: row["lies"].removeprefix("journey.") for row in rows}


async def test_a_touchpoint_of_any_instant_is_stored_and_only_months_near_by_are_made(
    database: Database, postgres_url: str
) -> None:
    folding = Folding(database)
    told = {
        "old": datetime(1971, 2, 3, tzinfo=UTC),
        "recent": ago(200),
        "now": ago(0),
        "ahead": ago(-300),
        "far": datetime(2101, 6, 7, tzinfo=UTC),
    }
    await folding.fold(*(touchpoint(name, user_id="ana", occurred_at=when) for name, when in told.items()))
    assert await stored(folding) == {
        "old": "touchpoints_earlier",
        "recent": name_of(told["recent"]),
        "now": name_of(told["now"]),
        "ahead": name_of(told["ahead"]),
        "far": "touchpoints_later",
    }
    snapshot = await folding.told("user_id", "ana")
    assert snapshot is not None
    assert snapshot.touchpoints == len(told)
    assert not {"touchpoints_1971_02", "touchpoints_2101_06"} & (await partitions(postgres_url)).keys()


async def test_a_month_is_made_beside_its_writers_by_whoever_needs_it_first(
    database: Database, postgres_url: str
) -> None:
    month = datetime(2051, 3, 1, tzinfo=UTC)
    writer, makers = Folding(database), [Folding(database) for _ in range(3)]
    async with database.transaction([writer.workspace]) as open_:
        await open_.execute("lock table touchpoints in row exclusive mode")
        async with asyncio.timeout(5):
            await asyncio.gather(
                *(each.fold(touchpoint(f"m{n}", user_id="ana", occurred_at=month)) for n, each in enumerate(makers))
            )
    bounds = (await partitions(postgres_url))["touchpoints_2051_03"]
    assert bounds == "FOR VALUES FROM ('2051-03-01 00:00:00+00') TO ('2051-04-01 00:00:00+00')"
    assert [list((await stored(each)).values()) for each in makers] == [["touchpoints_2051_03"]] * 3


async def test_the_next_months_stand_before_they_begin(database: Database, postgres_url: str) -> None:
    clock = SetClock(datetime(2052, 1, 31, 12, tzinfo=UTC))
    await Months(database, clock).work()
    made = {name for name in await partitions(postgres_url) if name.startswith("touchpoints_2052")}
    assert made == {"touchpoints_2052_01", "touchpoints_2052_02", "touchpoints_2052_03"}


async def test_an_empty_month_is_dropped_and_none_that_holds_anybodys_touchpoint(
    database: Database, postgres_url: str
) -> None:
    empty, held, young = ago(500), ago(600), ago(60)
    one, other = Folding(database), Folding(database)
    await one.fold(
        touchpoint("m1", user_id="ana", occurred_at=empty), touchpoint("m2", user_id="ana", occurred_at=held)
    )
    await other.fold(
        touchpoint("m3", user_id="bia", occurred_at=held), touchpoint("m4", user_id="bia", occurred_at=young)
    )
    async with database.transaction([one.workspace]) as connection:
        await connection.execute("delete from touchpoints")
    async with database.transaction([other.workspace]) as connection:
        await connection.execute("delete from touchpoints where message_id = 'm4'")
    dropped = await Months(database, SystemClock()).work()
    assert name_of(empty) in {name_of(month) for month in dropped}
    there = (await partitions(postgres_url)).keys()
    assert name_of(empty) not in there
    assert {name_of(held), name_of(young)} <= there
    await one.fold(touchpoint("m5", user_id="ana", occurred_at=empty))
    assert await stored(one) == {"m5": name_of(empty)}


async def test_a_month_that_only_looked_empty_stays_and_so_does_a_young_one(database: Database) -> None:
    folding, when = Folding(database), ago(700)
    await folding.fold(touchpoint("m1", user_id="ana", occurred_at=when))
    async with database.transaction() as connection:
        assert not await months.drop(connection, when)
    assert await stored(folding) == {"m1": name_of(when)}
    async with database.transaction() as connection:
        await months.cover(connection, [ago(40)])
        assert not await months.drop(connection, ago(40))


async def test_who_drops_a_month_waits_two_seconds_for_others_and_no_longer(database: Database) -> None:
    await Folding(database).fold(touchpoint("m1", user_id="ana", occurred_at=ago(800)))
    async with database.transaction() as writer:
        await writer.execute("lock table touchpoints in row exclusive mode")
        async with asyncio.timeout(8):
            with pytest.raises(Unavailable):
                async with database.transaction() as connection:
                    await months.drop(connection, ago(800))


class Explained:
    """A connection that tells which partitions of touchpoints each statement plans to look into."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.looked_into: list[tuple[str, set[str]]] = []

    async def fetch(self, query: str, *given: Any) -> list[Any]:
        await self._explain(query, *given)
        return await self._connection.fetch(query, *given)

    async def fetchrow(self, query: str, *given: Any) -> Any:
        return await self._connection.fetchrow(query, *given)

    async def fetchval(self, query: str, *given: Any) -> Any:
        return await self._connection.fetchval(query, *given)

    async def execute(self, query: str, *given: Any) -> str:
        await self._explain(query, *given)
        return await self._connection.execute(query, *given)

    async def executemany(self, query: str, rows: list[Any]) -> None:
        for given in rows:
            await self._explain(query, *given)
        await self._connection.executemany(query, rows)

    async def _explain(self, query: str, *given: Any) -> None:
        if "touchpoints" in query or "device_facts" in query:
            (row,) = await self._connection.fetch(f"explain (format json) {query}", *given)
            self.looked_into.append((query, set(_relations(json.loads(row[0])))))


def _relations(plan: Any) -> list[str]:
    if isinstance(plan, list):
        return [name for each in plan for name in _relations(each)]
    if not isinstance(plan, dict):
        return []
    own = plan.get("Relation Name", "")
    found = [own] if own.startswith("touchpoints_") and plan.get("Node Type") != "ModifyTable" else []
    return found + [name for each in plan.values() for name in _relations(each)]


def lent(id_: str, days: float, **given: Any) -> Touchpoint:
    return touchpoint(id_, days, anonymous_id="tablet", **given)


async def test_a_batch_looks_into_the_months_it_is_about_where_it_knows_them(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*(lent(f"m{n}", 30 * n, user_id="ana" if n % 2 else "bia") for n in range(24)))
    await folding.fold(lent("n1", 400, event="Report Exported"), lent("n2", 10, event="Report Exported"))
    news = [lent("n3", 401, event="Report Exported"), lent("n1", 500, event="Report Exported")]
    async with database.transaction([folding.workspace]) as connection:
        explained = Explained(connection)
        records = [received(replace(each, workspace=folding.workspace)) for each in news]
        await TouchpointFold(folding.publisher, PSEUDONYMS, folding.clock)(cast(Connection, explained), records)
    told = dict(explained.looked_into)
    assert not any(looked for query, looked in told.items() if "insert" in query)
    (repeated,) = (looked for query, looked in told.items() if query.startswith("select owner from"))
    (later,) = (looked for query, looked in told.items() if "user_id is null" in query)
    assert repeated == {name_of(at(400))}
    assert later == {name for name in later if name >= name_of(at(401))}


async def test_what_moves_or_goes_and_a_page_of_a_path_are_found_in_their_months(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*(touchpoint(f"m{n}", 30 * n, user_id="ana") for n in range(12)))
    told = await folding.told("user_id", "ana")
    assert told is not None
    async with database.transaction([folding.workspace]) as connection:
        explained = Explained(connection)
        given = cast(Connection, explained)
        place = touchpoints.Place(told.subject_id, at(60), "m2", "app")
        await touchpoints.move(given, folding.workspace, [(place, told.subject_id)])
        page = paths.Path(9, until=at(40))
        await paths.page(given, folding.workspace, told.subject_id, page)
        older = await touchpoints.older(given, folding.workspace, at(100), None, 9)
        await touchpoints.remove(given, folding.workspace, [place for place, _ in older])
    (moved,) = (looked for query, looked in explained.looked_into if query.startswith("update"))
    (paged,) = (looked for query, looked in explained.looked_into if query.startswith("select record"))
    assert moved == {name_of(at(60))}
    assert max(paged - {"touchpoints_earlier"}) <= name_of(at(40))
    *_, walked, removed = (looked for _, looked in explained.looked_into)
    assert max(walked - {"touchpoints_earlier"}) == max(removed - {"touchpoints_earlier"}) == name_of(at(100))
    assert "touchpoints_later" not in walked | removed


_INSERT = """insert into touchpoints (workspace, owner, occurred_at, message_id, source, kind, user_id, record)
    values ($1, $2, $3, $4, 'app', 'custom', 'ana', $5)"""
"""As the release before writes."""


async def insert(connection: Connection, workspace: WorkspaceId, id_: str, when: datetime) -> None:
    record = encode(touchpoint(id_, user_id="ana", occurred_at=when, workspace=workspace))
    await connection.execute(_INSERT, workspace, workspace, when, id_, record)


async def test_an_upgrade_leaves_what_is_stored_in_its_place_and_the_release_before_writes_on(
    postgres_url: str, tmp_path: Path
) -> None:
    async with owned(postgres_url) as urls:
        await migrated_to_before(urls.owner, "0008", tmp_path)
        folding = Folding(Database(urls.superuser, "journey"))
        async with folding.database.transaction([folding.workspace]) as connection:
            for n, days in enumerate([4_000, 40, 0]):
                await insert(connection, folding.workspace, f"m{n}", ago(days))
        async with folding.database.transaction([folding.workspace]) as running:
            await running.fetch("select from touchpoints")
            upgrade = asyncio.create_task(migrated(urls.owner, [JOURNEY]))
            await asyncio.sleep(0.5)
            assert not upgrade.done()
        await upgrade
        bounds = await partitions(urls.superuser)
        floor = datetime.fromisoformat(bounds["touchpoints_earlier"].split("'")[1])
        assert bounds.keys() == {"touchpoints_earlier", name_of(floor), "touchpoints_later"}
        async with folding.database.transaction([folding.workspace]) as connection:
            await insert(connection, folding.workspace, "m3", floor)
        lies = await stored(folding)
        assert lies == {**dict.fromkeys(["m0", "m1", "m2"], "touchpoints_earlier"), "m3": name_of(floor)}
        assert await stored(Folding(folding.database)) == {}
        await folding.database.stop()


async def test_whoever_owns_the_tables_an_empty_month_is_empty_of_every_workspaces_touchpoints(
    postgres_url: str,
) -> None:
    async with owned(postgres_url) as urls:
        await migrated(urls.owner, [JOURNEY])
        folding, when = Folding(Database(urls.superuser, "journey")), ago(800)
        async with folding.database.transaction([folding.workspace]) as connection:
            await months.cover(connection, [when])
            await insert(connection, folding.workspace, "m1", when)
        async with folding.database.transaction() as connection:
            assert not await months.drop(connection, when)
        assert await stored(folding) == {"m1": name_of(when)}
        async with folding.database.transaction([folding.workspace]) as connection:
            await connection.execute("delete from touchpoints")
        async with folding.database.transaction() as connection:
            assert await months.drop(connection, when)
        assert name_of(when) not in await partitions(urls.superuser)
        await folding.database.stop()
