"""Access in the run's database, and a workspace a test."""

import pytest

from jornada.access import PostgresAccess
from jornada.access.grants import Workspace
from jornada.events.ids import new_id
from tests.conftest import DatabaseFactory


@pytest.fixture(scope="session")
async def access(database_for: DatabaseFactory) -> PostgresAccess:
    return PostgresAccess(await database_for("access"))


@pytest.fixture
async def workspace(access: PostgresAccess) -> Workspace:
    return await new_workspace(access)


async def new_workspace(access: PostgresAccess) -> Workspace:
    """A workspace of its own with the source `app`."""
    made = await access.create_workspace(f"w-{new_id().hex}")
    await access.create_source(made.id, "app", "product")
    return made
