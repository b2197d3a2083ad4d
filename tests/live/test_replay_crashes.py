"""A replay ends with the same answer wherever journey is killed meanwhile, and beside whatever else takes away."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import httpx
import pytest

from jornada.bus.local_kafka import LocalKafka
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import Identifier, Touchpoint, WorkspaceId, decode
from services.journey.domain.retention import horizon
from services.journey.worker.replaying import CRASHPOINTS
from tests.holding import holding
from tests.journey.makes import Folding, at
from tests.journey.plain import in_plain_words
from tests.live.client import LoadClient
from tests.live.log import stale_journeys
from tests.live.processes import armed
from tests.live.whole import SERVICES, Whole, whole

PEOPLE, EVENTS, SEED = 300, 1_500, 23
AS_OF = at(365)
DAMAGE = (
    "update journey.subjects set snapshot = '{}', state = '[]' where right(id::text, 1) < '8'",
    "delete from journey.sessions",
    "delete from journey.timers",
    "delete from journey.device_users where user_id like '%7'",
)
LONG_RECEIVED = r"""update journey.touchpoints set record = convert_to(regexp_replace(
    convert_from(record, 'UTF8'), '"received_at":"[^"]+"', '"received_at":"2026-03-02T00:00:00Z"'), 'UTF8')"""
KEPT_FROM = datetime(2026, 2, 1, tzinfo=UTC)
ERASED = range(291, 296)


@pytest.fixture(scope="module")
async def place(postgres_url: str, kafka_node: LocalKafka) -> AsyncIterator[Whole]:
    """A system that was told a few hundred lives."""
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with whole(kafka_node.libs) as found:
        client = LoadClient(found.system.urls["ingest"], found.system.write_key, SEED, PEOPLE)
        for _ in range(EVENTS // 100):
            await client.send(100)
        await client.close()
        await found.system.settled()
        yield found


async def damaged(place: Whole) -> None:
    for statement in DAMAGE:
        await place.system.sql(statement)


async def begun(place: Whole) -> str:
    id_: str = (await place.system.act("POST", "journey", "/v1/replays"))["id"]
    return id_


async def ended(place: Whole, id_: str) -> Mapping[str, Any]:
    """What a replay came to, though journey be away at times."""
    async with asyncio.timeout(300):
        while True:
            try:
                replay: dict[str, Any] = await place.system.ask("journey", f"/v1/replays/{id_}")
                if replay["status"] != "running":
                    return replay
            except (httpx.TransportError, AssertionError):
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.1)


def answer(replay: Mapping[str, Any]) -> dict[str, Any]:
    return {name: replay[name] for name in ("status", "touchpoints", "compared", "equal", "mended", "changed")}


async def told(database: Database, workspace: WorkspaceId) -> dict[str, Any]:
    """Everybody's document, stages and path, of a workspace."""
    folding = Folding(database, now=AS_OF, workspace=workspace)
    named = [Identifier("user_id", f"person-{number}") for number in range(1, PEOPLE + 1)]
    return in_plain_words(await folding.documents(named))


@pytest.fixture
async def database(place: Whole) -> AsyncIterator[Database]:
    database = Database(place.system.database_url, "journey")
    yield database
    await database.stop()


@pytest.mark.timeout(900)
async def test_a_replay_ends_as_if_nobody_had_been_killed(place: Whole, database: Database) -> None:
    journey, system = place.services["journey"], place.system
    before = await told(database, system.workspace)
    await damaged(place)
    wanted = answer(await ended(place, await begun(place)))
    assert 0 < wanted["changed"] < wanted["compared"] == PEOPLE
    assert await told(database, system.workspace) == before
    kills = dict.fromkeys(CRASHPOINTS, 0)
    while not all(kills.values()):
        await damaged(place)
        await journey.rearm(**armed(0.2, place.points("journey"), CRASHPOINTS))
        await place.up()
        found = answer(await ended(place, await begun(place)))
        await journey.rearm(JORNADA_CRASHPOINTS="")
        await place.up()
        kills = {point: place.deaths("journey", point) for point in CRASHPOINTS}
        print(f"\n{EVENTS} events, kills {kills}: {found}")  # noqa: T201
        assert found == wanted
        assert await told(database, system.workspace) == before
    connection = await asyncpg.connect(system.database_url)
    assert await stale_journeys(place.brokers, connection, system.workspace) == []
    await connection.close()


@pytest.mark.timeout(900)
async def test_what_is_replayed_erased_and_kept_no_longer_at_once_equals_the_fold_of_what_is_left(
    place: Whole, database: Database
) -> None:
    system, workspace, chance = place.system, place.system.workspace, Random(SEED)
    await system.sql(LONG_RECEIVED)
    await damaged(place)
    loading = asyncio.create_task(_load(place))
    replay = await begun(place)
    days = (SystemClock().now() - KEPT_FROM).days
    await system.act("PUT", "journey", "/v1/touchpoints/retention", {"days": days})
    erasing = [asyncio.create_task(_erased(place, f"person-{number}")) for number in ERASED]
    for _ in range(3):
        await asyncio.sleep(chance.random())
        await place.kill("journey")
    receipts = await asyncio.gather(*erasing)
    first = await ended(place, replay)
    assert first["status"] == "done"
    assert max(each["erased_at"] for each in receipts) < first["ended_at"], "they were not at work at once"
    loading.cancel()
    await _passed(place)
    await place.up()
    assert {each["status"] for each in receipts} == {"done"}
    # A device may have been parted from its person first, by what is kept no longer: then it is nobody's.
    assert await holding(system.database_url, [f"person-{number}" for number in ERASED], SERVICES) == set()
    left = await _left(place)
    assert len(left) > 0
    assert min(each.occurred_at for each in left) >= horizon(SystemClock().now(), days)
    again = answer(await ended(place, await begun(place)))
    assert (again["equal"], again["mended"]) == (again["compared"], 0)
    assert await told(database, workspace) == await _folded(database, left)


async def _load(place: Whole) -> None:
    """The same lives told on, and again, also of those who are erased."""
    client = LoadClient(place.system.urls["ingest"], place.system.write_key, SEED, PEOPLE)
    while True:
        await client.send(20)
        await asyncio.sleep(0.2)


async def _erased(place: Whole, user: str) -> Mapping[str, Any]:
    """The receipt, `done`; asked for again until there is one, as journey may die of it."""
    system = place.system
    async with asyncio.timeout(120):
        while True:
            try:
                receipt: dict[str, Any] = await system.act(
                    "POST", "journey", "/v1/erasures", {"ref": f"user_id:{user}"}
                )
                if receipt["status"] == "done":
                    return receipt
            except (httpx.TransportError, AssertionError):
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.2)


async def _passed(place: Whole) -> None:
    """Waits until what is kept no longer is gone."""
    async with asyncio.timeout(300):
        while (await place.system.ask("journey", "/v1/touchpoints/retention"))["passed_until"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _left(place: Whole) -> Sequence[Touchpoint]:
    rows = await place.system.sql("select record from journey.touchpoints where workspace = $1", place.system.workspace)
    return [decode(row["record"], Touchpoint) for row in rows]


async def _folded(database: Database, left: Sequence[Touchpoint]) -> dict[str, Any]:
    """What a workspace of its own tells of touchpoints."""
    folding = Folding(database, now=AS_OF)
    for start in range(0, len(left), 200):
        await folding.fold(*left[start : start + 200])
    return await told(database, folding.workspace)
