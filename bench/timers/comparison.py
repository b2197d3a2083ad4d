"""B8: what it costs to fire timers and arm them again, Postgres included, beside a bare loop on the same table."""

import asyncio
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from rich.console import Console

from bench.measuring import Steal, children_of, cpu_seconds, ratio
from bench.timers.sides import BATCH, BEGIN, FILL, SCHEMA
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated

PENDING = (10_000, 1_000_000)
FIRED = 40_000
"""In a round, by each side."""

_SIDES = ("ours", "loop")
_REAPED = 1.0
"""Seconds in which a server has reaped whoever ended: their CPU would else be the next side's."""


async def run(rounds: int, seconds: float) -> None:
    """Prints the ratio for few and for many pending timers; a round is as long as it takes."""
    for pending in PENDING:
        await compare(pending, FIRED, rounds)


async def compare(pending: int, fired: int, rounds: int) -> None:
    """Prints what both sides do in so many rounds with so many timers pending, and their ratio."""
    console, folder = Console(), Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    postgres = LocalPostgres(folder)
    await asyncio.to_thread(postgres.start)
    try:
        urls = {side: await _filled(side, postgres, pending) for side in _SIDES}
        taken: dict[str, list[dict[str, Any]]] = {side: [] for side in _SIDES}
        number = 0
        while len(taken["ours"]) < rounds:
            number += 1
            steal = Steal()
            measured = {side: await _turn(side, urls[side], folder, pending, number * fired) for side in _SIDES}
            await _verify(measured, urls, fired)
            if number > 1 and not steal.too_much():
                for side in _SIDES:
                    taken[side].append(measured[side])
        _tell(console, taken, pending)
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)


def _tell(console: Console, taken: dict[str, list[dict[str, Any]]], pending: int) -> None:
    console.print(f"{pending} timers pending, {BATCH} in a transaction:")
    costs = {side: [(each["cpu"] + each["postgres"]) / each["fired"] for each in taken[side]] for side in _SIDES}
    for side in _SIDES:
        own, theirs = (
            statistics.median(each[of] / each["fired"] for each in taken[side]) for of in ("cpu", "postgres")
        )
        each_second = statistics.median(each["fired"] / each["seconds"] for each in taken[side])
        by_core = 1 / statistics.median(costs[side])
        console.print(
            f"  {side:<5} {own * 1e6:5.1f} + {theirs * 1e6:.1f} µs of CPU a timer (process and Postgres):"
            f" {by_core:.0f} a second and core, {each_second:.0f} a second by the wall"
        )
    console.print(f"  B8 timers / bare loop            {ratio(costs['ours'], costs['loop'])}   (at least 0.7)")


async def _turn(side: str, url: str, folder: Path, pending: int, until: int) -> dict[str, Any]:
    before = _postgres_cpu(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.timers.sides", side, url, str(pending), str(until), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    figures: dict[str, Any] = msgspec.json.decode(said)
    return figures | {"postgres": _postgres_cpu(folder) - before}


async def _verify(measured: dict[str, dict[str, Any]], urls: dict[str, str], fired: int) -> None:
    """The number is void unless both fired the same timers in the same order, and left the same table."""
    told = {(each["fired"], each["whom"]) for each in measured.values()}
    left = {await _left(side, url) for side, url in urls.items()}
    await asyncio.sleep(_REAPED)
    if len(told) != 1 or len(left) != 1 or measured["ours"]["fired"] != fired:
        raise RuntimeError(f"the sides did not do the same: {measured}, {left}")


async def _left(side: str, url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            f"""select count(*) || ' ' || sum(hashtext(timers::text)::bigint) from {_table(side)} as timers"""
        )
        return str(found)
    finally:
        await connection.close()


async def _filled(side: str, postgres: LocalPostgres, pending: int) -> str:
    """A database of the side's own with so many timers."""
    connection = await asyncpg.connect(postgres.url())
    await connection.execute(f"create database {side}")
    await connection.close()
    url = urlsplit(postgres.url())._replace(path=f"/{side}").geturl()
    if side == "ours":
        await migrated(url)
    connection = await asyncpg.connect(url)
    if side == "loop":
        await connection.execute(SCHEMA)
    await connection.execute(FILL.format(_table(side)), BEGIN, pending)
    await connection.execute("vacuum (analyze)")
    await connection.close()
    return url


def _table(side: str) -> str:
    return "scoring.timers" if side == "ours" else "timers"


def _postgres_cpu(folder: Path) -> float:
    """CPU seconds of the server and of all its processes, those that ended included."""
    pid = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    return cpu_seconds(pid) + sum(cpu_seconds(child) for child in children_of(pid))
