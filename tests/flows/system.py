"""The whole system in this process, on the carrier asked for, with what a user holds: keys, a token, a mailbox."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from jornada.access.bootstrap import ensure_default
from jornada.access.secrets import draw_api_token, draw_write_key
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.embedded import EmbeddedBus
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.db.migrations import migrated
from jornada.events.ids import WorkspaceId, new_id
from jornada.runtime.running import serving
from services.__main__ import build

SERVICES = ("console", "ingest", "journey", "scoring", "notify")
_FOLDING = ("ingest", "journey", "scoring", "notify")


class System:
    """One running system and its default workspace."""

    def __init__(
        self,
        url: str,
        workspace: WorkspaceId,
        secrets: tuple[str, str],
        folder: Path,
        bus: Bus,
        urls: Mapping[str, str],
    ) -> None:
        """`secrets` are its write key and API token."""
        self.database_url = url
        self.bus = bus
        self.workspace = workspace
        self.write_key, self.api_token = secrets
        self.folder = folder
        self.urls = urls
        self.http = httpx.AsyncClient(trust_env=False, timeout=20)

    async def send(self, *events: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Sends events as one batch; returns the verdicts. Anything but 200 fails."""
        answer = await self.http.post(
            f"{self.urls['ingest']}/v1/batch", json={"batch": events}, auth=(self.write_key, "")
        )
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def ask(self, service: str, path: str, **params: Any) -> Any:
        """GET with the API token; the decoded document. Anything but 200 fails."""
        answer = await self.http.get(f"{self.urls[service]}{path}", params=params, headers=self.bearer)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def act(self, method: str, service: str, path: str, document: object = None) -> Any:
        """Any other call with the API token; the decoded document. An error fails."""
        answer = await self.http.request(method, f"{self.urls[service]}{path}", json=document, headers=self.bearer)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_token}"}

    async def settled(self, seconds: float = 100) -> None:
        """Returns once every service says, twice in a row, that it is caught up."""
        async with asyncio.timeout(seconds):
            quiet = 0
            while quiet < 2:
                lags = [await self.http.get(f"{self.urls[service]}/v1/lag") for service in _FOLDING]
                up = all(lag.status_code == 200 and lag.json()["caught_up"] for lag in lags)
                quiet = quiet + 1 if up else 0
                await asyncio.sleep(0.05)

    def mails(self) -> Sequence[Path]:
        """The mails in the local sink."""
        return sorted((self.folder / "mail").glob("*.eml"))

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Rows, seen as a superuser."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def fresh_database(postgres_url: str) -> AsyncIterator[str]:
    """A new, migrated database in the server; dropped at the end."""
    name = f"flow_{new_id().hex}"
    await _command(postgres_url, f"create database {name}")
    try:
        url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        await migrated(url)
        yield url
    finally:
        await _command(postgres_url, f"drop database if exists {name} with (force)")


async def _command(postgres_url: str, statement: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def take_ports(environment: dict[str, str]) -> None:
    """Draws a free port for every service."""
    sockets = [socket.socket() for _ in SERVICES]
    for service, drawn in zip(SERVICES, sockets, strict=True):
        drawn.bind(("127.0.0.1", 0))
        environment[f"JORNADA_{service.upper()}_PORT"] = str(drawn.getsockname()[1])
    for drawn in sockets:
        drawn.close()


async def ready(urls: Mapping[str, str], client: httpx.AsyncClient, seconds: float = 100) -> None:
    """Returns once every service named says that it is ready."""
    async with asyncio.timeout(seconds):
        for service, url in urls.items():
            while True:
                try:
                    answer = await client.get(f"{url}/readyz")
                    if answer.status_code == 200:
                        break
                except httpx.TransportError:
                    assert service in SERVICES
                await asyncio.sleep(0.05)


def carrier(name: str, url: str, brokers: str | None) -> Bus:
    """The stream on the carrier named."""
    if name == "embedded":
        return EmbeddedBus(Database(url, "bus"))
    return KafkaBus(KafkaConnection(brokers=brokers or ""), client_id="flows")


@asynccontextmanager
async def running(
    name: str, url: str, folder: Path, brokers: str | None, secrets: tuple[str, str] | None = None
) -> AsyncIterator[System]:
    """The system on one carrier, until the end of the block. `secrets` are the write key and API token to keep."""
    environment = {"JORNADA_MODE": "local", "JORNADA_DATA_DIR": str(folder), "JORNADA_OUTGOING_ALLOW": "127.0.0.1"}
    take_ports(environment)
    kept = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    try:
        access = Database(url, "access", max_connections=1)
        write_key, api_token = secrets or (draw_write_key(), draw_api_token())
        workspace = await ensure_default(PostgresAccess(access), write_key, api_token)
        await access.stop()
        bus = carrier(name, url, brokers)
        async with serving(build(bus, url, SystemClock()), host="127.0.0.1", shared=[bus]):
            urls = {each: f"http://127.0.0.1:{os.environ[f'JORNADA_{each.upper()}_PORT']}" for each in SERVICES}
            system = System(url, workspace.id, (write_key, api_token), folder, bus, urls)
            await ready(system.urls, system.http)
            yield system
            await system.http.aclose()
    finally:
        for key, value in kept.items():
            os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
