"""Two replicas of ingest as processes: for how long each is behind when a key is made or revoked."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from jornada.access.secrets import draw_write_key
from jornada.access.store import PostgresAccess
from jornada.db import Database
from jornada.events import new_id
from tests.flows.system import ready, take_ports
from tests.live.processes import Running, Supervised, services_on


@asynccontextmanager
async def second_replica(system: Running, folder: Path) -> AsyncIterator[str]:
    """Another ingest on the same stream and Postgres; its address."""
    environment = {
        "JORNADA_MODE": "local",
        "JORNADA_DATABASE_URL": system.database_url,
        "JORNADA_KAFKA_BROKERS": system.brokers,
        "JORNADA_DATA_DIR": str(folder),
        "JORNADA_GROUP_INSTANCE_ID": f"ingest-{new_id().hex}",
    }
    take_ports(environment)
    url = f"http://127.0.0.1:{environment['JORNADA_INGEST_PORT']}"
    process = Supervised("services.ingest", environment, folder / "ingest-2.log")
    process.start()
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            await ready({"ingest": url}, http, 60)
        yield url
    finally:
        await process.stop()


class Replica:
    """One replica, and whether keys let in there."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def lets_in(self, write_key: str) -> bool:
        """Whether an event sent with the key is taken; anything but 200 and 401 fails."""
        event = {"userId": "ana", "event": "Signed In", "messageId": new_id().hex}
        answer = await self._http.post(f"{self._url}/v1/track", json=event, headers={"x-write-key": write_key})
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    async def seconds_until(self, write_key: str, *, lets_in: bool) -> float:
        """For how long the key is still refused, or let in."""
        began = time.monotonic()
        async with asyncio.timeout(60):
            while True:
                if await self.lets_in(write_key) is lets_in:
                    return time.monotonic() - began
                await asyncio.sleep(0.2)


@pytest.mark.timeout(180)
async def test_every_replica_follows_a_change_of_keys_within_a_minute(
    postgres_url: str, kafka_brokers: str, tmp_path: Path
) -> None:
    async with (
        services_on(postgres_url, kafka_brokers, tmp_path, ["ingest"]) as system,
        second_replica(system, tmp_path) as other,
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        one, two = replicas = [Replica(http, system.urls["ingest"]), Replica(http, other)]
        admin = {"authorization": f"Bearer {system.api_token}"}

        async def act(path: str, document: object = None) -> dict[str, str]:
            answer = await http.post(f"{system.urls['ingest']}{path}", json=document, headers=admin)
            assert answer.is_success, answer.text
            issued: dict[str, str] = answer.json()
            return issued

        old = await act("/v1/keys", {"source": "app"})
        new = await act(f"/v1/keys/{old['id']}/rotate")
        assert all([await each.lets_in(key["write_key"]) for each in replicas for key in (old, new)])
        early = draw_write_key()
        assert not any([await each.lets_in(early) for each in replicas])
        access = Database(system.database_url, "access", max_connections=1)
        principal = await PostgresAccess(access).workspace("default")
        await PostgresAccess(access).create_key(principal.id, "app", early)
        await access.stop()
        await act(f"/v1/keys/{old['id']}/revoke")
        *refused_for, passed_here, passed_there = await asyncio.gather(
            *(each.seconds_until(early, lets_in=True) for each in replicas),
            *(each.seconds_until(old["write_key"], lets_in=False) for each in replicas),
        )
        assert await one.lets_in(new["write_key"]) and await two.lets_in(new["write_key"])
        print(  # noqa: T201
            f"\na key tried before it was made is refused for {max(refused_for):.1f} s,"
            f" a revoked one lets in for {max(passed_here, passed_there):.1f} s more, over {len(replicas)} replicas"
        )
        assert max(refused_for) < 10
        assert max(passed_here, passed_there) < 60
