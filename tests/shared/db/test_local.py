"""The Postgres of our own: it keeps what it was given, through kills, restarts and a change of owner."""

import asyncio
import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import asyncpg
import pytest

from jornada.db import Unavailable
from jornada.db.local import LocalPostgres


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="jornada-local-"))
    yield made
    LocalPostgres(made).stop()
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def postgres(folder: Path) -> Iterator[LocalPostgres]:
    started = LocalPostgres(folder)
    started.start()
    yield started
    started.stop()


async def _value(postgres: LocalPostgres, query: str) -> object:
    connection = await asyncpg.connect(postgres.url(), timeout=5)
    try:
        value: object = await connection.fetchval(query)
    finally:
        await connection.close()
    return value


def _pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


async def _eventually(postgres: LocalPostgres, query: str, seconds: float) -> object:
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(OSError, Unavailable, asyncpg.PostgresError):
                return await _value(postgres, query)
            await asyncio.sleep(0.05)


async def test_data_and_address_survive_a_restart(postgres: LocalPostgres) -> None:
    await _value(postgres, "select 1 from pg_sleep(0)")
    connection = await asyncpg.connect(postgres.url())
    await connection.execute("create table kept as select 7 as n")
    await connection.close()
    url = postgres.url()
    postgres.stop()
    assert not postgres.running()
    postgres.start()
    assert postgres.url() == url
    assert await _value(postgres, "select n from kept") == 7


async def test_it_is_utf8_with_a_builtin_locale_and_durable(postgres: LocalPostgres) -> None:
    query = (
        "select datlocprovider::text || datlocale || pg_encoding_to_char(encoding) from pg_database where datname = "
    )
    assert await _value(postgres, query + "'jornada'") == "bC.UTF-8UTF8"
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await _value(postgres, f"select current_setting('{setting}')") == "on"


async def test_a_stranger_without_the_password_stays_out(postgres: LocalPostgres, folder: Path) -> None:
    password = folder / "postgres.password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url().replace(password.read_text(), "guessed"))
    assert await _value(postgres, "select current_setting('unix_socket_directories')") == ""
    assert await _value(postgres, "select current_setting('listen_addresses')") == "127.0.0.1"


async def test_a_second_starter_takes_over_the_live_server_and_may_end_it(
    postgres: LocalPostgres, folder: Path
) -> None:
    before = _pid(folder)
    second = LocalPostgres(folder)
    second.start()
    assert _pid(folder) == before
    assert second.url() == postgres.url()
    second.stop()
    assert not postgres.running()


async def test_a_killed_server_is_back_within_ten_seconds_though_a_query_still_runs(
    postgres: LocalPostgres, folder: Path
) -> None:
    busy = await asyncpg.connect(postgres.url())
    running = asyncio.create_task(busy.fetchval("select count(*) from generate_series(1, 1000000000)"))
    watching = asyncio.create_task(postgres.watch())
    await asyncio.sleep(0.3)
    os.kill(_pid(folder), SIGKILL)
    assert await _eventually(postgres, "select n from kept", 10) == 7
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await running
    postgres.stop()
    await asyncio.wait_for(watching, 5)
    assert not postgres.running()


async def test_a_pid_that_now_belongs_to_another_program_does_not_stand_in_the_way(folder: Path) -> None:
    first = LocalPostgres(folder)
    first.start()
    file = folder / "postgres" / "postmaster.pid"
    left = file.read_text().splitlines()
    first.stop()
    file.write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")
    second = LocalPostgres(folder)
    assert not second.running()
    second.start()
    assert await _value(second, "select n from kept") == 7
    second.stop()


def test_a_folder_without_a_server_has_no_address(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        LocalPostgres(tmp_path).url()
