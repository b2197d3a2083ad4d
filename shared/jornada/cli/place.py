"""Where the system is that a command is about, by the same settings as the services'."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jornada.access.store import PostgresAccess, Refused
from jornada.db import Database, Unavailable
from jornada.db.local import LocalPostgres

PORTS = {"console": 8000, "ingest": 8001, "journey": 8002, "scoring": 8003, "notify": 8004}


def data_folder() -> Path:
    """JORNADA_DATA_DIR, by default .jornada where the command is given."""
    return Path(os.environ.get("JORNADA_DATA_DIR") or ".jornada")


def database_url(*names: str) -> str:
    """The first of these settings that is set, then JORNADA_DATABASE_URL, then the running local Postgres.

    Raises Unavailable where there is none of them.
    """
    for name in (*names, "JORNADA_DATABASE_URL"):
        if url := os.environ.get(name):
            return url
    postgres = LocalPostgres(data_folder())
    if not postgres.running():
        raise Unavailable(f"JORNADA_DATABASE_URL is not set, and no local Postgres runs in {data_folder()}")
    return postgres.url()


def service_urls() -> dict[str, str]:
    """Each service's address: JORNADA_<SERVICE>_URL, else its port on 127.0.0.1."""
    return {
        service: os.environ.get(f"JORNADA_{service.upper()}_URL")
        or f"http://127.0.0.1:{os.environ.get(f'JORNADA_{service.upper()}_PORT') or port}"
        for service, port in PORTS.items()
    }


def api_token(given: str | None) -> str:
    """The API token given, else the local one, kept under the data folder; raises Refused."""
    file = data_folder() / "dev.json"
    if given:
        return given
    try:
        return str(json.loads(file.read_text())["api_token"])
    except (FileNotFoundError, KeyError, ValueError):
        raise Refused("no_token", f"no API token: set JORNADA_API_TOKEN (there is none in {file})") from None


def brokers() -> list[tuple[str, int]]:
    """Host and port of each of JORNADA_KAFKA_BROKERS; none where it is not set."""
    listed = [broker.strip() for broker in os.environ.get("JORNADA_KAFKA_BROKERS", "").split(",")]
    parts = [broker.rpartition(":") if ":" in broker else (broker, ":", "9092") for broker in listed if broker]
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


@asynccontextmanager
async def opened() -> AsyncIterator[PostgresAccess]:
    """Access through a connection that is closed at the end; raises Unavailable."""
    database = Database(database_url(), "access", max_connections=1)
    try:
        yield PostgresAccess(database)
    finally:
        await database.stop()
