"""Scoring on the run's Postgres."""

from collections.abc import Awaitable, Callable

import pytest

from jornada.db import Database
from tests.scoring.harness import Scoring


@pytest.fixture(scope="session")
async def database(database_for: Callable[[str], Awaitable[Database]]) -> Database:
    return await database_for("scoring")


@pytest.fixture
async def scoring(database: Database) -> Scoring:
    """Scoring in a new workspace; timers of other tests are cleared, so that only this one's fire."""
    async with database.transaction(role="jornada_scoring_clock") as connection:
        workspaces = [row["workspace"] for row in await connection.fetch("select distinct workspace from timers")]
    async with database.transaction(workspaces) as connection:
        await connection.execute("delete from timers")
    return Scoring(database)
