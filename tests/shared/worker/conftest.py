"""A toy schema, made anew for every test."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from jornada.db import Database
from tests.shared.worker import toy


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("drop schema if exists toy cascade")
    for statement in toy.SCHEMA:
        await connection.execute(statement)
    await connection.close()
    database = Database(postgres_url, "toy")
    yield database
    await database.stop()
