"""Scoring on the run's Postgres."""

from collections.abc import Awaitable, Callable

import pytest

from jornada.db import Database
from tests.scoring.harness import Scoring
from tests.scoring.told import Told


@pytest.fixture(scope="session")
async def database(database_for: Callable[[str], Awaitable[Database]]) -> Database:
    return await database_for("scoring")


@pytest.fixture
async def scoring(database: Database) -> Scoring:
    """Scoring in a new workspace; what other tests left to be done is cleared, so that only this one's is."""
    for table in ("timers", "connected", "account_changes"):
        async with database.transaction(role="jornada_scoring_clock") as connection:
            rows = await connection.fetch(f"select distinct workspace from {table}")
        async with database.transaction([row["workspace"] for row in rows]) as connection:
            await connection.execute(f"delete from {table}")
    return Scoring(database)


@pytest.fixture
def told() -> Told:
    """Journey, with nothing to tell yet."""
    return Told()
