"""Migrations: once each, in any number at once, by an owner who is no superuser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from jornada.db import Unavailable
from jornada.db.migrations import Chain, chains, migrate, migrated, pending
from jornada.events.ids import new_id

_REVISION = """
from alembic import op

revision = {revision!r}
down_revision = {down!r}


def upgrade():
    op.execute({statement!r})
"""


def _chain(folder: Path, schema: str, *statements: str) -> Chain:
    versions = folder / schema / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for number, statement in enumerate(statements, 1):
        text = _REVISION.format(
            revision=f"{number:04}", down=f"{number - 1:04}" if number > 1 else None, statement=statement
        )
        (versions / f"{number:04}_step.py").write_text(text)
    return Chain(schema, versions.parent)


@pytest.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without any schema of ours, in the same server."""
    name = f"empty_{new_id().hex}"
    await _execute(postgres_url, f"create database {name}")
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    await _execute(postgres_url, f"drop database {name} with (force)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    value: object = await connection.fetchval(query)
    await connection.close()
    return value


async def test_migrating_twice_changes_nothing(empty_url: str, tmp_path: Path) -> None:
    chain = _chain(tmp_path, "shop", "create table shop.a ()")
    await migrated(empty_url, [chain])
    before = await _value(empty_url, "select xmin::text from shop.alembic_version")
    await migrated(empty_url, [chain])
    assert await _value(empty_url, "select xmin::text from shop.alembic_version") == before


async def test_many_at_once_run_each_revision_once(empty_url: str, tmp_path: Path) -> None:
    steps = ["create table shop.runs (n int)", "insert into shop.runs select 1 from pg_sleep(0.2)"]
    chain = _chain(tmp_path, "shop", *steps)
    await asyncio.gather(*(migrated(empty_url, [chain]) for _ in range(4)))
    assert await _value(empty_url, "select count(*) from shop.runs") == 1


async def test_an_index_is_built_concurrently_while_another_migration_waits(empty_url: str, tmp_path: Path) -> None:
    chain = _chain(tmp_path, "shop", "create table shop.a (n int)", "select pg_sleep(0.3)")
    third = chain.folder / "versions" / "0003_index.py"
    third.write_text(
        "from alembic import op\nrevision = '0003'\ndown_revision = '0002'\n"
        "def upgrade():\n    with op.get_context().autocommit_block():\n"
        "        op.execute('create index concurrently a_n on shop.a (n)')\n"
    )
    async with asyncio.timeout(20):
        await asyncio.gather(migrated(empty_url, [chain]), migrated(empty_url, [chain]))
    assert await pending(empty_url, [chain]) == []


async def test_chains_keep_their_versions_apart(empty_url: str, tmp_path: Path) -> None:
    one = _chain(tmp_path, "one", "create table one.a ()")
    two = _chain(tmp_path, "two", "create table two.a ()", "create table two.b ()")
    await migrated(empty_url, [one])
    assert await pending(empty_url, [one, two]) == [two]
    await migrated(empty_url, [one, two])
    assert await pending(empty_url, [one, two]) == []


async def test_a_new_revision_makes_its_chain_pending_and_a_newer_schema_does_not(
    empty_url: str, tmp_path: Path
) -> None:
    chain = _chain(tmp_path, "shop", "create table shop.a ()")
    await migrated(empty_url, [chain])
    _chain(tmp_path, "shop", "create table shop.a ()", "create table shop.b ()")
    assert await pending(empty_url, [chain]) == [chain]
    await migrated(empty_url, [chain])
    (chain.folder / "versions" / "0002_step.py").unlink()
    assert await pending(empty_url, [chain]) == []


async def test_a_revision_that_fails_leaves_nothing_of_itself(empty_url: str, tmp_path: Path) -> None:
    failing = "do $$ begin create table shop.b (); raise exception 'no'; end $$"
    chain = _chain(tmp_path, "shop", "create table shop.a ()", failing)
    with pytest.raises(Exception, match="no"):
        await migrated(empty_url, [chain])
    assert await _value(empty_url, "select version_num from shop.alembic_version") == "0001"
    assert await _value(empty_url, "select to_regclass('shop.b')::text") is None


async def test_an_owner_who_is_no_superuser_migrates_his_database(postgres_url: str, empty_url: str) -> None:
    name = f"owner_{new_id().hex}"
    await _execute(postgres_url, f"create role {name} login createrole password 'p'")
    await _execute(postgres_url, f"grant jornada_access, jornada_access_reader to {name}")
    database = urlsplit(empty_url).path[1:]
    await _execute(postgres_url, f"alter database {database} owner to {name}")
    parts = urlsplit(empty_url)
    await migrated(parts._replace(netloc=f"{name}:p@{parts.hostname}:{parts.port}").geturl(), _access())
    assert await pending(empty_url, _access()) == []
    await _execute(empty_url, f"reassign owned by {name} to current_user; drop owned by {name}")
    await _execute(postgres_url, f"drop owned by {name}; drop role {name}")


async def test_it_can_be_called_without_a_loop_and_within_one(empty_url: str) -> None:
    migrate(empty_url, _access())
    assert await pending(empty_url, _access()) == []


async def test_no_server_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await migrated("postgresql://nobody:x@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await pending("postgresql://nobody:x@127.0.0.1:1/none")


def test_the_library_comes_before_the_services_and_they_by_name(tmp_path: Path) -> None:
    for name in ("scoring", "ingest"):
        (tmp_path / "services" / name / "migrations" / "versions").mkdir(parents=True)
    found = [chain.schema for chain in chains(tmp_path)]
    assert found[0] == "access"
    assert found[-2:] == ["ingest", "scoring"]


def _access() -> list[Chain]:
    return [chain for chain in chains() if chain.schema == "access"]
