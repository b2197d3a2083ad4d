"""Runs one what-if at a time: starts its process, feeds it journeys as they come, and ends it with its asker."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from jornada.db import Unavailable
from jornada.observe import logs
from services.scoring.domain.hindsight.tally import Asked, Tally
from services.scoring.domain.scores import Configuration
from services.scoring.sisters import Journeys
from services.scoring.what_if.questions import END, written

_log = logs.get(__name__)

LONGEST_SECONDS = 30.0
"""For how long journeys are asked for: what has come by then is answered for."""
_REST_SECONDS = 30.0
"""How long the process may take for what it was fed and had not yet worked out."""
_PAGE = 200
_COMMAND = (sys.executable, "-m", "services.scoring.what_if")


class Busy(Exception):
    """One is running already."""


class Tried(NamedTuple):
    """What was found, and whether it is of all subjects that there are."""

    tally: Tally
    whole: bool


class WhatIfs:
    """What-ifs of this process, at most one at a time."""

    def __init__(self, journeys: Journeys, seconds: float = LONGEST_SECONDS) -> None:
        self._journeys = journeys
        self._seconds = seconds
        self._runs = False

    async def tried(
        self, token: str, today: Configuration, changed: Configuration, asked: Asked, subjects: int
    ) -> Tried:
        """The two configurations over up to so many subjects, the first by id: a fair part of all.

        Raises Busy, Unavailable. Cancelled, it leaves nothing behind.
        """
        if self._runs:
            raise Busy
        self._runs = True
        try:
            async with _process() as process:
                return await self._tried(process, token, written(today, changed, asked), asked, subjects)
        finally:
            self._runs = False

    async def _tried(self, process: Process, token: str, question: bytes, asked: Asked, subjects: int) -> Tried:
        whole = False
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what it died of it says below
            await _write(process, question)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    whole = await self._feed(process, token, asked, subjects)
                    await _write(process, END)
        try:
            async with asyncio.timeout(_REST_SECONDS):
                said, why = await process.communicate(b"")
        except TimeoutError:
            raise Unavailable("a what-if takes too long") from None
        if process.returncode:
            _log.error("what_if.failed", status=process.returncode, why=why.decode("ascii", "replace")[-200:].strip())
            raise Unavailable("a what-if failed")
        return Tried(msgspec.json.decode(said, type=Tally), whole)

    async def _feed(self, process: Process, token: str, asked: Asked, subjects: int) -> bool:
        cursor: str | None = None
        while True:
            page = min(subjects, _PAGE)
            async with self._journeys.through(token, asked.instants, page, cursor) as lines:
                async for piece in lines.pieces:
                    await _write(process, piece)
            cursor = lines.following
            subjects -= page
            if cursor is None or not subjects:
                return cursor is None


@asynccontextmanager
async def _process() -> AsyncIterator[Process]:
    # It finds what this process finds; of its secrets it needs none.
    environment = {"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)}
    process = await asyncio.create_subprocess_exec(*_COMMAND, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


async def _write(process: Process, piece: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(piece)
    await process.stdin.drain()
