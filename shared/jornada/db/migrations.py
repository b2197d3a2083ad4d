"""Brings every schema up to date: Alembic, a version table in each schema, one migration at a time."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from jornada.db.errors import classify

_LOCK = 0x6A6F726E616461
_LOCK_POLL = 0.1
_RACES = 5
_TUPLE_RACE = "XX000"


class Chain(NamedTuple):
    """One schema and the folder whose `versions/` holds its revisions."""

    schema: str
    folder: Path


def chains(home: Path | None = None) -> list[Chain]:
    """Every chain: the library's (access, bus), then the services' by name.

    `home` is the project's root: JORNADA_HOME, else the checkout that holds this library.
    """
    library = Path(__file__).resolve().parents[1]
    root = home or Path(os.environ.get("JORNADA_HOME") or library.parents[1])
    folders = [library / name / "migrations" for name in ("access", "bus")]
    folders += sorted(root.glob("services/*/migrations"))
    return [Chain(folder.parent.name, folder) for folder in folders if (folder / "versions").is_dir()]


def migrate(url: str, wanted: Sequence[Chain] | None = None) -> None:
    """`migrated`, for callers without an event loop (in one it works too, and blocks it)."""
    with ThreadPoolExecutor(1, thread_name_prefix="migrate") as thread:
        thread.submit(lambda: asyncio.run(migrated(url, wanted))).result()


async def migrated(url: str, wanted: Sequence[Chain] | None = None) -> None:
    """Upgrades every chain (default: all) to its newest revision; waits for its turn, so many may call it at once.

    The login needs CREATE on the database and CREATEROLE. Raises Unavailable, or what asyncpg or a revision raises.
    """
    todo = chains() if wanted is None else list(wanted)
    for attempt in range(_RACES):
        try:
            async with _engine(url) as connection, _turn(connection):
                for chain in todo:
                    await _upgrade(connection, chain)
            return
        except DBAPIError as error:
            cause = _cause(error)
            # Roles belong to the whole server: another database's migration may touch the same row of pg_authid.
            if attempt < _RACES - 1 and getattr(cause, "sqlstate", None) == _TUPLE_RACE:
                await asyncio.sleep(0.1 * (attempt + 1))
                continue
            raise (classify(cause) or cause) from error
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise (classify(error) or error) from error


async def pending(url: str, wanted: Sequence[Chain] | None = None) -> list[Chain]:
    """The chains (default: all) whose schema is older than the code; a newer one is not behind. Raises Unavailable."""
    todo = chains() if wanted is None else list(wanted)
    try:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=10)
        try:
            found = [(chain, await _version(connection, chain)) for chain in todo]
        finally:
            await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise (classify(error) or error) from error
    return [chain for chain, version in found if _behind(chain, version)]


async def _version(connection: "asyncpg.Connection[asyncpg.Record]", chain: Chain) -> str | None:
    try:
        version: str | None = await connection.fetchval(f"select version_num from {chain.schema}.alembic_version")  # noqa: S608
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return version


def _behind(chain: Chain, version: str | None) -> bool:
    scripts = ScriptDirectory.from_config(_config(chain))
    known = {script.revision for script in scripts.walk_revisions()}
    return version is None or (version in known and version != scripts.get_current_head())


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncConnection]:
    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(url, timeout=10)

    creator: Callable[[], Awaitable[object]] = connect
    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def _turn(connection: AsyncConnection) -> AsyncIterator[None]:
    """Waits for the one migration lock, by asking: a waiting statement would hold up `create index concurrently`."""
    await connection.execute(text("select set_config('statement_timeout', '0', false)"))
    while not (await connection.execute(text(f"select pg_try_advisory_lock({_LOCK})"))).scalar_one():
        await connection.rollback()
        await asyncio.sleep(_LOCK_POLL)
    await connection.commit()
    yield
    # The lock goes with the connection, which nobody takes over (NullPool).


async def _upgrade(connection: AsyncConnection, chain: Chain) -> None:
    exists = text("select 1 from pg_namespace where nspname = :schema")
    if (await connection.execute(exists, {"schema": chain.schema})).first() is None:
        await connection.execute(text(f"create schema {chain.schema}"))
    await connection.commit()
    await connection.run_sync(_run, chain)
    await connection.execute(text(f"grant select on {chain.schema}.alembic_version to public"))
    await connection.commit()


def _run(connection: Connection, chain: Chain) -> None:
    config = _config(chain)
    config.attributes["connection"] = connection
    config.attributes["schema"] = chain.schema
    command.upgrade(config, "head")


def _config(chain: Chain) -> Config:
    config = Config()
    options = {
        "script_location": str(Path(__file__).parent / "alembic"),
        "version_locations": str(chain.folder / "versions"),
        "path_separator": "newline",
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    return config


def _cause(error: DBAPIError) -> BaseException:
    """What asyncpg raised, under what SQLAlchemy made of it."""
    origin = error.orig
    return (origin.__cause__ if origin is not None else None) or error
