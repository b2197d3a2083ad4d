"""Row-level security holds by itself: not one of these queries has a where."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from jornada.access import PostgresAccess
from jornada.db import Database
from tests.conftest import DatabaseFactory
from tests.shared.access.conftest import new_workspace

_COLUMN = {"workspaces": "id", "sources": "workspace", "write_keys": "workspace", "api_tokens": "workspace"}


@pytest.mark.parametrize("table", _COLUMN)
async def test_another_workspaces_rows_cannot_be_seen_or_changed(
    access: PostgresAccess, database_for: DatabaseFactory, postgres_url: str, table: str
) -> None:
    ours, theirs = await new_workspace(access), await new_workspace(access)
    for each in (ours, theirs):
        await access.create_key(each.id, "app")
        await access.create_token(each.id, "ci", ["read"])
    query = f"select distinct {_COLUMN[table]} from access.{table}"
    superuser = await asyncpg.connect(postgres_url)
    everything = {row[0] for row in await superuser.fetch(query)}
    await superuser.close()
    assert {ours.id, theirs.id} <= everything, "the control: both are there to be seen"

    database: Database = await database_for("access")
    async with database.transaction([ours.id]) as sql:
        assert {row[0] for row in await sql.fetch(query)} == {ours.id}
        if table != "workspaces":
            assert await sql.execute(f"update access.{table} set created_at = created_at") == "UPDATE 1"
    async with database.transaction() as sql:
        assert await sql.fetch(query) == []


async def test_a_row_cannot_be_written_into_another_workspace(
    access: PostgresAccess, database_for: DatabaseFactory
) -> None:
    ours, theirs = await new_workspace(access), await new_workspace(access)
    database = await database_for("access")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([ours.id]) as sql:
            await sql.execute("insert into access.sources values ($1, 'planted', 'product')", theirs.id)


async def test_the_reader_reads_what_look_ups_need_and_nothing_else(database_for: DatabaseFactory) -> None:
    database = await database_for("access")
    forbidden = [
        "select hint from access.write_keys",
        "select name from access.api_tokens",
        "insert into access.workspaces (id, name) values (gen_random_uuid(), 'x')",
        "update access.write_keys set revoked_at = null",
        "delete from access.sources",
    ]
    for statement in forbidden:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(role="jornada_access_reader") as sql:
                await sql.execute(statement)
    async with database.transaction(role="jornada_access_reader") as sql:
        await sql.fetch("select id, workspace, source, sha256, revoked_at from access.write_keys")


async def test_no_method_reaches_into_another_workspace(access: PostgresAccess) -> None:
    ours, theirs = await new_workspace(access), await new_workspace(access)
    key = await access.create_key(theirs.id, "app")
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: access.revoke_key(ours.id, key.key.id),
        lambda: access.rotate_key(ours.id, key.key.id),
        lambda: access.revoke_token(ours.id, key.key.id),
    ]
    for attempt in attempts:
        with pytest.raises(Exception, match="there is no"):
            await attempt()
    assert key.key.id not in {each.id for each in await access.keys(ours.id)}
