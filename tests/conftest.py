"""The resources that tests share: one Postgres a run, with every schema in place."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest

from jornada.db import Database
from jornada.db.errors import Unavailable
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrate
from jornada.events.ids import new_id
from jornada.observe import logs

logs.set_up(level="ERROR", readable=False)

# A busy machine is no finding: nothing here is judged by how long it takes.
hypothesis.settings.register_profile("jornada", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("jornada")

pytest_plugins = ["tests.kafka_fixture"]

IN_CI = os.environ.get("JORNADA_CI") == "1"

DatabaseFactory = Callable[[str], Awaitable[Database]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI what does not run has failed."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing may be under JORNADA_CI=1: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL of a fresh, migrated database: in JORNADA_TEST_DATABASE_URL's server, else in our own."""
    given = os.environ.get("JORNADA_TEST_DATABASE_URL")
    with _fresh(given) if given else _own() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="session")
async def database_for(postgres_url: str) -> AsyncIterator[DatabaseFactory]:
    """Makes a started Database that acts as the service named; all are stopped at the end of the run."""
    started: list[Database] = []

    async def make(service: str) -> Database:
        database = Database(postgres_url, service)
        started.append(database)
        await database.start()
        return database

    yield make
    for database in started:
        await database.stop()


@contextmanager
def _fresh(server: str) -> Iterator[str]:
    name = f"jornada_test_{new_id().hex}"
    try:
        _execute(server, f"create database {name}")
    except (OSError, asyncpg.PostgresError) as error:
        _missing(f"JORNADA_TEST_DATABASE_URL: {error}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        _execute(server, f"drop database {name} with (force)")


@contextmanager
def _own() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="jornada-test-"))
    postgres = LocalPostgres(folder, durable=False)
    try:
        try:
            postgres.start()
        except Unavailable as error:
            _missing(str(error))
        yield postgres.url()
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _missing(why: str) -> None:
    """Without a Postgres most of the suite says nothing: it says so loudly, and in CI a skip fails."""
    pytest.skip(f"NO POSTGRES, MOST TESTS DID NOT RUN: {why}")
