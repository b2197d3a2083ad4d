"""Looks at each part of a running system and names the one that fails."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import httpx

from jornada.cli.place import brokers, database_url, service_urls
from jornada.db import Unavailable
from jornada.db.migrations import pending

_PATIENCE = 5.0
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, what is wrong with it (empty if nothing), and where it was looked for."""

    part: str
    fault: str
    where: str = ""


async def examine() -> AsyncIterator[Finding]:
    """Findings as they are made: database, migrations, brokers, services; raises nothing for a broken part."""
    async for finding in _database():
        yield finding
    for host, port in brokers():
        yield Finding("kafka", await _reach(host, port), f"{host}:{port}")
    async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as client:
        urls = service_urls()
        answers = await asyncio.gather(*(_ready(client, url) for url in urls.values()))
    for (service, url), fault in zip(urls.items(), answers, strict=True):
        yield Finding(service, fault, url)


async def _database() -> AsyncIterator[Finding]:
    try:
        behind = await pending(database_url())
    except (Unavailable, OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield Finding("database", f"{error}")
        return
    yield Finding("database", "")
    schemas = ", ".join(chain.schema for chain in behind)
    yield Finding("migrations", f"behind: {schemas}; run `jornada migrate`" if behind else "")


async def _reach(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except TimeoutError:
        return f"no answer in {_PATIENCE:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    return ""


async def _ready(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(f"{url.rstrip('/')}/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return "" if answer.is_success else f"{answer.status_code} {' '.join(answer.text.split())[:_SHOWN]}"
