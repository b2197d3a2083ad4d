"""`jornada dead …` as an operator meets it: a process, its lines, its exit code, against a running service."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from jornada.bus.dead_letters import Limit
from jornada.db import Database
from jornada.runtime.running import serving
from jornada.runtime.service import Health
from tests.shared.worker.letters import Toy, served, until_stopped
from tests.shared.worker.toy import Script, received


@dataclass
class Ran:
    """What a command said, and how it ended."""

    code: int
    lines: list[str]
    errors: str


class Operated:
    """The toy, serving in the place of journey, and its operator's shell."""

    def __init__(self, toy: Toy, port: int) -> None:
        self.toy = toy
        self._url = f"http://127.0.0.1:{port}"

    async def jornada(self, *arguments: str, token: str = "read+admin", service: str | None = "journey") -> Ran:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("JORNADA_")}
        gone = {f"JORNADA_{each}_URL": "http://127.0.0.1:1" for each in ("INGEST", "SCORING", "NOTIFY")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jornada.cli.main", "dead", *arguments),
            *(("--service", service) if service else ()),
            env=kept | gone | {"JORNADA_JOURNEY_URL": self._url, "JORNADA_API_TOKEN": token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode().splitlines(), errors.decode())


@pytest.fixture
async def operated(database: Database) -> AsyncIterator[Operated]:
    """A service with three dead letters, of which the second fails again."""
    toy = Toy(database)
    worker = await toy.failed("ana", "poison", "bia")
    service = served(toy, worker, Health())
    service.tasks = []
    async with serving([service], host="127.0.0.1"):
        yield Operated(toy, service.port)


async def test_letters_are_listed_shown_and_replayed(operated: Operated) -> None:
    rows = [line.split("\t") for line in (await operated.jornada("list")).lines]
    assert [(row[0], row[4], row[5]) for row in rows] == [("journey", str(n), "ValueError") for n in range(3)]
    first = rows[0][1]
    bare = json.loads("".join((await operated.jornada("show", first)).lines))
    whole = json.loads("".join((await operated.jornada("show", first, token="read+payloads")).lines))
    assert (bare["offset"], bare.get("value"), whole["value"]) == (0, None, "ana")
    assert (await operated.jornada("replay", first)).lines == [f"{first} is replayed by journey"]
    every = await operated.jornada("replay", "--all")
    assert (every.code, every.lines) == (1, ["journey\t1\t1\t1"])
    assert f"{rows[1][1]} failed again: ValueError" in every.errors
    left = (await operated.jornada("list")).lines
    assert [line.split("\t")[1] for line in left] == [rows[1][1]]
    assert len((await operated.jornada("list", "--replayed")).lines) == 3
    assert sorted((await operated.toy.counted()).values()) == [1, 1]


async def test_a_refusal_is_one_line(operated: Operated) -> None:
    unknown = await operated.jornada("show", "0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21")
    unsaid = await operated.jornada("replay")
    reader = await operated.jornada("replay", "--all", token="read")
    for ran, said in ((unknown, "no service has"), (unsaid, "an id, or --all"), (reader, "answers 403")):
        assert ran.code == 1
        assert said in ran.errors
        assert len(ran.errors.splitlines()) == 1


async def test_what_cannot_be_reached_is_said_and_the_others_answer(operated: Operated) -> None:
    ran = await operated.jornada("list", service=None)
    assert (ran.code, len(ran.lines)) == (1, 3)
    assert all(f"{each}: " in ran.errors for each in ("ingest", "scoring", "notify"))


async def test_a_worker_that_stopped_over_poison_is_named(database: Database) -> None:
    toy = Toy(database)
    toy.script = Script([received(offset, "poison" if offset % 3 == 0 else "ana") for offset in range(90)])
    health = Health()
    service = served(toy, toy.worker(Limit(share=0.1, least=10)), health)
    async with serving([service], host="127.0.0.1"):
        await until_stopped(health)
        ran = await Operated(toy, service.port).jornada("list")
    assert (ran.code, len(ran.lines)) == (0, 9)
    assert f"jornada: journey is not ready: service: {health.stopped}" in ran.errors
    assert "of the last" in ran.errors
