"""Errors are told apart by SQLSTATE, wherever they arise."""

import asyncpg
import pytest

from jornada.db import Conflict, TimedOut, Unavailable
from jornada.db.errors import classify
from tests.conftest import DatabaseFactory


def _raised(sqlstate: str) -> str:
    return f"do $$ begin raise exception 'made up' using errcode = '{sqlstate}'; end $$"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_serialization_failure_or_deadlock_is_a_conflict(database_for: DatabaseFactory, sqlstate: str) -> None:
    database = await database_for("access")
    with pytest.raises(Conflict):
        async with database.transaction() as sql:
            await sql.execute(_raised(sqlstate))


@pytest.mark.parametrize("sqlstate", ["08006", "53300", "57P01", "55P03", "25006", "58030"])
async def test_what_passes_is_unavailable(database_for: DatabaseFactory, sqlstate: str) -> None:
    database = await database_for("access")
    with pytest.raises(Unavailable):
        async with database.transaction() as sql:
            await sql.execute(_raised(sqlstate))


async def test_what_takes_too_long_may_be_tried_with_less(database_for: DatabaseFactory) -> None:
    database = await database_for("access")
    with pytest.raises(TimedOut):
        async with database.transaction() as sql:
            await sql.execute("set local statement_timeout = 1")
            await sql.execute("select pg_sleep(60)")


@pytest.mark.parametrize("sqlstate", ["23505", "22001", "42601", "42501", "P0001"])
async def test_bugs_and_bad_data_keep_their_own_error(database_for: DatabaseFactory, sqlstate: str) -> None:
    database = await database_for("access")
    with pytest.raises(asyncpg.PostgresError) as raised:
        async with database.transaction() as sql:
            await sql.execute(_raised(sqlstate))
    assert raised.value.sqlstate == sqlstate


async def test_a_connection_cut_in_the_middle_is_unavailable_and_the_next_transaction_works(
    database_for: DatabaseFactory,
) -> None:
    database = await database_for("access")
    victim = await database_for("access")
    with pytest.raises(Unavailable):
        async with victim.transaction() as sql:
            pid = await sql.fetchval("select pg_backend_pid()")
            async with database.transaction(role="postgres") as killer:
                await killer.execute("select pg_terminate_backend($1)", pid)
            await sql.fetchval("select 1")
    async with victim.transaction() as sql:
        assert await sql.fetchval("select 1") == 1


def test_a_value_error_is_not_ours_to_classify() -> None:
    assert classify(ValueError("no")) is None
