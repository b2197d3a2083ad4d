"""Every acked event is in its customer's journey exactly once, wherever the process that folds it was killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from jornada import crashpoints
from tests.live.client import LoadClient
from tests.live.log import stale_journeys
from tests.live.processes import Running, armed, services_on, struck

EVENTS, KILLS, EACH = 10_000, 20, 3
SHARE = 0.2
SEED = 7


@asynccontextmanager
async def under_kills(
    postgres_url: str, brokers: str, folder: Path, module: str, share: float
) -> AsyncIterator[tuple[Running, LoadClient, Path]]:
    """ingest and a journey service armed at every crash point, and a client that loads them."""
    points = folder / "points"
    extra = {"journey": armed(share, points)}
    async with services_on(
        postgres_url, brokers, folder, ["ingest", "journey"], modules={"journey": module}, extra=extra
    ) as system:
        client = LoadClient(system.urls["ingest"], system.write_key, SEED)
        try:
            yield system, client, points
        finally:
            await client.close()


async def settled(system: Running, seconds: float) -> bool:
    """Whether the journey service says in time that it is caught up."""
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        lag = await http.get(f"{system.urls['journey']}/v1/lag")
                        if lag.status_code == 200 and lag.json()["caught_up"]:
                            return True
                    except httpx.TransportError:
                        await asyncio.sleep(0)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return False


@dataclass
class Count:
    """What the check of a run found."""

    lost: int
    doubled: int
    wrong_totals: int
    stale: list[str]


async def count(system: Running, client: LoadClient) -> Count:
    """Holds what is stored, told and published of the client's workspace against the journal of acks.

    The topics hold what earlier tests sent to theirs, under the same message ids.
    """
    connection = await asyncpg.connect(system.database_url)
    workspace = await connection.fetchval("select id from access.workspaces where name = 'default'")
    rows = await connection.fetch(
        "select message_id, count(*) as n from journey.touchpoints where workspace = $1 group by 1", workspace
    )
    stale = await stale_journeys(system.brokers, connection, workspace)
    await connection.close()
    stored = {row["message_id"]: row["n"] for row in rows}
    acked = {message for messages in client.acked.values() for message in messages}
    wrong = 0
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {system.api_token}"}) as http:
        for person, messages in client.acked.items():
            answer = await http.get(f"{system.urls['journey']}/v1/customers/user_id:{person}")
            told = answer.json().get("touchpoints", 0)
            wrong += told != len(messages)
    return Count(len(acked - stored.keys()), sum(n - 1 for n in stored.values()), wrong, stale)


def assert_silent_of_persons(folder: Path, write_key: str) -> None:
    """The services' logs of a whole run name no person, no device, no event and no key."""
    said = b"".join(path.read_bytes() for path in folder.glob("*.log"))
    assert said
    for personal in (b"person-", b"device-", b"Report Exported", write_key.encode()):
        assert personal not in said


@pytest.mark.timeout(900)
async def test_kills_at_every_crash_point_lose_and_double_nothing(
    postgres_url: str, kafka_brokers: str, tmp_path: Path
) -> None:
    async with under_kills(postgres_url, kafka_brokers, tmp_path, "services.journey", SHARE) as (system, client, log):
        while True:
            await client.send(100)
            kills = struck(log)
            enough = kills.total() >= KILLS and all(kills[point] >= EACH for point in crashpoints.CRASHPOINTS)
            if client.events >= EVENTS and enough:
                break
            assert client.events < 20 * EVENTS, f"too few kills: {kills}"
            await asyncio.sleep(0.1 if kills.total() * EVENTS > KILLS * client.events else 1.0)
        await system.services["journey"].rearm(JORNADA_CRASHPOINTS="")
        assert await settled(system, 120)
        found = await count(system, client)
        events, points = client.events, dict(struck(log))
        print(f"\n{events} events, {sum(points.values())} kills {points}, seed {SEED}: {found}")  # noqa: T201
        assert found == Count(lost=0, doubled=0, wrong_totals=0, stale=[])
        assert_silent_of_persons(tmp_path, system.write_key)


@pytest.mark.timeout(300)
async def test_a_worker_that_acknowledges_first_is_caught_losing(
    postgres_url: str, kafka_brokers: str, tmp_path: Path
) -> None:
    """The negative control: the same kills, with the order of the steps broken."""
    module = "tests.live.acknowledges_first"
    async with under_kills(postgres_url, kafka_brokers, tmp_path, module, 0.3) as (system, client, log):
        journey = system.services["journey"]
        await journey.rearm(JORNADA_CRASHPOINTS="")
        assert await settled(system, 120)  # what earlier tests sent is no loss of ours
        before = struck(log)[crashpoints.FOLDED]
        await journey.rearm(**armed(0.3, log))
        while struck(log)[crashpoints.FOLDED] < before + 2:
            await client.send(100)
            await asyncio.sleep(0.3)
        await journey.rearm(JORNADA_CRASHPOINTS="")
        await settled(system, 60)
        assert (await count(system, client)).lost > 0
