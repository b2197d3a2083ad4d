"""Everything is read or told again from the start, whatever was dropped: no alert is told again, nothing is sent."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from jornada.access.secrets import draw_api_token, draw_write_key
from tests.flows.conftest import Carrier
from tests.flows.people import fading, last_straws
from tests.flows.system import System, fresh_database, running

FROM_THE_START = [f"delete from {service}.offsets" for service in ("ingest", "journey", "scoring", "notify")]
DERIVED = ["truncate scoring.subjects, scoring.identifiers, scoring.history"]
DAMAGED = [
    "update journey.subjects set snapshot = '{}', state = '[]' where merged_into is null",
    "delete from journey.sessions",
    "delete from journey.timers",
]
FACTS = [
    "truncate scoring.recorded_bands, scoring.crossings",
    "truncate scoring.subjects, scoring.identifiers, scoring.history",
    "truncate notify.alerts, notify.decisions cascade",
]


@asynccontextmanager
async def told_once(carrier: Carrier, url: str, folder: Path, secrets: tuple[str, str]) -> AsyncIterator[System]:
    """A system in which one customer fell into the red: one alert, one mail."""
    async with running(carrier.name, url, folder, carrier.brokers, secrets) as system:
        await system.act("POST", "notify", "/v1/campaigns/retention-check-in/start")
        await system.send(*fading("rita", firstName="Rita", locale="en"))
        await system.settled()
        await system.send(*last_straws("rita"))
        async with asyncio.timeout(20):
            while not system.mails():  # noqa: ASYNC110 - a mail is a file; nothing signals it
                await asyncio.sleep(0.05)
        await system.settled()
        yield system


async def facts(system: System) -> dict[str, object]:
    """What must be the same after a replay."""
    return {
        "alerts": [alert["id"] for alert in (await system.ask("notify", "/v1/alerts"))["items"]],
        "mails": len(system.mails()),
        "decisions": [
            (each["outcome"], each["reason"])
            for each in (await system.ask("notify", "/v1/customers/user_id:rita/decisions"))["items"]
        ],
        "sent": await sent(system),
    }


async def sent(system: System) -> int:
    path = await system.ask("journey", "/v1/customers/user_id:rita/touchpoints", limit=100)
    return sum(touchpoint["ours"] for touchpoint in path["items"])


async def execute(url: str, statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("forgotten", [DERIVED, FACTS], ids=["derived tables", "facts too: the control"])
async def test_a_replay_from_the_start_alerts_nobody_and_sends_nothing(
    carrier: Carrier, postgres_url: str, tmp_path: Path, forgotten: list[str]
) -> None:
    secrets = (draw_write_key(), draw_api_token())
    async with fresh_database(postgres_url) as url:
        async with told_once(carrier, url, tmp_path, secrets) as system:
            before = await facts(system)
            assert len(before["alerts"]) == before["mails"] == before["sent"] == 1  # type: ignore[arg-type]
        await execute(url, [*FROM_THE_START, *forgotten])
        async with running(carrier.name, url, tmp_path, carrier.brokers, secrets) as system:
            await system.settled(90)
            await asyncio.sleep(1)
            await system.settled(90)
            after = await facts(system)
        assert (after == before) == (forgotten is DERIVED)


@pytest.mark.timeout(240)
async def test_journeys_told_anew_from_what_is_stored_alert_nobody_and_send_nothing(
    carrier: Carrier, postgres_url: str, tmp_path: Path
) -> None:
    secrets = (draw_write_key(), draw_api_token())
    async with fresh_database(postgres_url) as url, told_once(carrier, url, tmp_path, secrets) as system:
        before = await facts(system)
        await execute(url, DAMAGED)
        replayed = await _replayed(system)
        assert (replayed["status"], replayed["changed"]) == ("done", replayed["compared"])
        await system.settled(90)
        await asyncio.sleep(1)
        await system.settled(90)
        assert await facts(system) == before


async def _replayed(system: System) -> dict[str, object]:
    """What the command line comes to, by the replay that it began and followed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JORNADA_")}
    settings = {"JORNADA_JOURNEY_URL": system.urls["journey"], "JORNADA_API_TOKEN": system.api_token}
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jornada.cli.main", "replay", env=kept | settings, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await ran.communicate()
    (newest,) = (await system.ask("journey", "/v1/replays", limit=1))["items"]
    assert (ran.returncode, said.decode().split("\t")[0]) == (0, newest["status"])
    found: dict[str, object] = newest
    return found
