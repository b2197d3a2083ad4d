"""Services as processes of their own, against a real Kafka and Postgres, started again whenever they die."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from jornada import crashpoints
from jornada.access.bootstrap import ensure_default
from jornada.access.secrets import draw_api_token, draw_write_key
from jornada.access.store import PostgresAccess
from jornada.db import Database
from jornada.events import WorkspaceId, new_id
from tests.flows.system import fresh_database, ready, take_ports

PYTHON = sys.executable


class Supervised:
    """One process that is started again when it dies, until `stop`. `deaths` counts how it died, by exit code."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.deaths: Counter[int] = Counter()
        self._module = module
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._ending = False

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether a process runs now."""
        return self._process is not None and self._process.returncode is None

    def start(self) -> None:
        """Starts it, and again after each death."""
        self._ending = False
        self._running = asyncio.create_task(self._keep_alive())

    async def stop(self) -> int | None:
        """Ends it with SIGTERM; its exit code. Raises TimeoutError for one that had to be killed."""
        self._ending = True
        if self._running is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                await asyncio.shield(self._running)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self._running
            raise
        return self._process.returncode if self._process is not None else None

    async def rearm(self, **environment: str) -> None:
        """Ends it and starts it with these settings changed."""
        await self.stop()
        self.change(**environment)
        self.start()

    def change(self, **environment: str) -> None:
        """Changes settings from its next start on."""
        self._environment |= environment

    def beside(self, log: Path, **environment: str) -> "Supervised":
        """Another process of the same service, not yet started, with these settings changed."""
        return Supervised(self._module, self._environment | environment, log)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process that runs now, if one does."""
        if self.alive:
            os.kill(self.pid, number)

    async def _keep_alive(self) -> None:
        while not self._ending:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    PYTHON, "-m", self._module, env=self._environment, stdout=log, stderr=log
                )
            if self._ending:
                self.signal(signal.SIGTERM)
            code = await self._process.wait()
            if not self._ending:
                self.deaths[code] += 1


def armed(share: float, log: Path, points: Sequence[str] = crashpoints.CRASHPOINTS) -> dict[str, str]:
    """Settings under which each of the crash points kills with this probability and says so in `log`."""
    shares = ",".join(f"{point}={share}" for point in points)
    return {"JORNADA_CRASHPOINTS": shares, "JORNADA_CRASHPOINTS_LOG": str(log)}


def struck(log: Path) -> Counter[str]:
    """How often each crash point killed."""
    return Counter(log.read_text().split()) if log.exists() else Counter()


@dataclass
class Running:
    """Services as processes, and what their user holds."""

    database_url: str
    brokers: str
    workspace: WorkspaceId
    services: dict[str, Supervised]
    urls: dict[str, str]
    write_key: str
    api_token: str


@asynccontextmanager
async def services_on(
    postgres_url: str,
    brokers: str,
    folder: Path,
    names: Sequence[str],
    *,
    modules: Mapping[str, str] | None = None,
    extra: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[Running]:
    """The services named, each its own process, ready, on a database of their own.

    `modules` replaces the module of a service, `extra` adds to its environment.
    """
    async with fresh_database(postgres_url) as url:
        write_key, api_token = draw_write_key(), draw_api_token()
        access = Database(url, "access", max_connections=1)
        workspace = await ensure_default(PostgresAccess(access), write_key, api_token)
        await access.stop()
        environment = {
            "JORNADA_MODE": "local",
            "JORNADA_DATABASE_URL": url,
            "JORNADA_KAFKA_BROKERS": brokers,
            "JORNADA_DATA_DIR": str(folder),
        }
        take_ports(environment)
        services: dict[str, Supervised] = {}
        for name in names:
            own = {"JORNADA_GROUP_INSTANCE_ID": f"{name}-{new_id().hex}"} | dict((extra or {}).get(name, {}))
            module = (modules or {}).get(name, f"services.{name}")
            services[name] = Supervised(module, environment | own, folder / f"{name}.log")
            services[name].start()
        urls = {name: f"http://127.0.0.1:{environment[f'JORNADA_{name.upper()}_PORT']}" for name in names}
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                await ready(urls, http, 60)
            yield Running(url, brokers, workspace.id, services, urls, write_key, api_token)
        finally:
            for service in services.values():
                await service.stop()
