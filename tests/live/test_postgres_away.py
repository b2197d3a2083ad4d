"""While Postgres is away ingest acks whom it knows, refuses no stranger for good, and forgets no rejection."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jornada.access.secrets import draw_write_key
from jornada.events import TOUCHPOINTS, Touchpoint, decode, new_id
from tests.live.fragile import Fragile
from tests.live.log import ends_of, records_of
from tests.live.processes import Running, services_on
from tests.live.sender import Sender

SEED = 11
AWAY = 60 if "JORNADA_FAULT_ROUNDS" in os.environ else 15


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Fragile]:
    """One of our own, beside that of the other tests; where theirs cannot be had neither can this."""
    assert postgres_url
    folder = Path(tempfile.mkdtemp(prefix="jornada-fragile-"))
    fragile = Fragile(folder)
    fragile.server.start()
    yield fragile
    fragile.server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def _ask(system: Running, key: str, **event: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20, auth=(key, "")) as http:
        return await http.post(f"{system.urls['ingest']}/v1/track", json={"event": "Signed In", **event})


async def _rejected(system: Running) -> set[str]:
    """The message ids of what is told as refused; empty while that cannot be told."""
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {system.api_token}"}) as http:
        answer = await http.get(f"{system.urls['ingest']}/v1/rejections", params={"limit": 1000})
    return {each["message_id"] for each in answer.json()["items"]} if answer.status_code == 200 else set()


async def _all_told(system: Running, refused: set[str]) -> None:
    while True:
        if refused <= await _rejected(system):
            return
        await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_with_postgres_away_nothing_acked_is_lost_and_nothing_restarts(
    postgres: Fragile, kafka_brokers: str, tmp_path: Path
) -> None:
    async with services_on(postgres.server.url(), kafka_brokers, tmp_path, ["ingest"]) as system:
        sender = Sender(system.urls["ingest"], system.write_key, new_id().hex[-8:], SEED)
        assert (await _ask(system, system.write_key, userId="ana")).status_code == 200
        before = await ends_of(kafka_brokers, TOUCHPOINTS.name)
        sender.start()
        await asyncio.to_thread(postgres.crash)
        began = time.monotonic()
        refused: set[str] = set()
        strangers = set()
        while time.monotonic() - began < AWAY:
            await asyncio.sleep(0.5)
            refused.add(f"refused-{len(refused)}")
            answer = await _ask(system, system.write_key, userId="null", messageId=f"refused-{len(refused) - 1}")
            assert answer.json()["results"][0]["status"] == "rejected"
            strangers.add((await _ask(system, draw_write_key(), userId="ana")).status_code)
        await asyncio.to_thread(postgres.server.start)
        healed = time.monotonic()
        async with asyncio.timeout(30):
            await _all_told(system, refused)
        told = time.monotonic() - healed
        await sender.stop()
        async with asyncio.timeout(10):
            while (await _ask(system, draw_write_key(), userId="ana")).status_code != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert system.services["ingest"].deaths.total() == 0
        # Ten such failures end the process, which an outage of a minute would suffice for.
        assert b"task.failed" not in (tmp_path / "ingest.log").read_bytes()
    found: set[str] = set()
    for record in await records_of(kafka_brokers, TOUCHPOINTS.name, before):
        touchpoint: Touchpoint = decode(record.value, Touchpoint)
        found.add(touchpoint.message_id)
    slowest = max(call.seconds for call in sender.calls)
    print(  # noqa: T201
        f"\n{len(sender.acked)} events, 1 fault (Postgres away {AWAY} s), seed {SEED}: acked {len(sender.acked)},"
        f" lost {len(sender.acked - found)}, slowest {slowest:.2f} s; {len(refused)} rejections told"
        f" {told:.1f} s after it was back"
    )
    assert strangers == {503}
    assert {call.status for call in sender.calls} == {200}
    assert sender.acked <= found
    assert slowest < 5
