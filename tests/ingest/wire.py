"""Writes bytes on a socket, at its own pace, and reads what comes back: no client library corrects either."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from tests.ingest.corpus.cases import Case

_TOO_LONG = 30.0


class Answer(NamedTuple):
    """One HTTP answer; `document` is None where its body is no JSON."""

    status: int
    headers: dict[str, str]
    document: Any


class Said(NamedTuple):
    """What came back to a case: its answers, and whether that took too long."""

    case: Case
    answers: list[Answer]
    hung: bool


async def ask(port: int, cases: Sequence[Case], at_once: int = 8) -> AsyncIterator[Said]:
    """Sends every case on a connection of its own; slow ones all at the same time, the others a few at once.

    A 429 or 503 says that nothing was acknowledged, so the case is sent again, as any SDK would.
    """
    slow = [asyncio.create_task(_asked(port, case)) for case in cases if _waits(case)]
    turns = asyncio.Semaphore(at_once)

    async def in_turn(case: Case) -> Said:
        async with turns:
            said = await _asked(port, case)
            while any(answer.status in {429, 503} for answer in said.answers):
                await asyncio.sleep(1)
                said = await _asked(port, case)
            return said

    for done in asyncio.as_completed(
        [*slow, *(asyncio.create_task(in_turn(case)) for case in cases if not _waits(case))]
    ):
        yield await done


def _waits(case: Case) -> bool:
    return sum(piece for piece in case.pieces if isinstance(piece, float)) > 1


def _is_head(case: Case) -> bool:
    return case.pieces[0][:5] == b"HEAD " if isinstance(case.pieces[0], bytes) else False


async def _asked(port: int, case: Case) -> Said:
    received = bytearray()
    try:
        async with asyncio.timeout(_TOO_LONG):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writing = asyncio.create_task(_write(writer, case.pieces))
            try:
                await _read(reader, received, case)
            finally:
                writing.cancel()
                writer.close()
    except TimeoutError:
        return Said(case, _answers(received, _is_head(case)), True)
    except OSError:
        pass
    return Said(case, _answers(received, _is_head(case)), False)


async def _write(writer: asyncio.StreamWriter, pieces: Sequence[bytes | float]) -> None:
    with contextlib.suppress(OSError):
        for piece in pieces:
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                writer.write(piece)
                await writer.drain()


async def _read(reader: asyncio.StreamReader, received: bytearray, case: Case) -> None:
    """Until so many answers are whole, or the other side has closed."""
    while len(_answers(received, _is_head(case))) < case.answers:
        part = await reader.read(65_536)
        if not part:
            return
        received += part


def _answers(received: bytearray, bodiless: bool) -> list[Answer]:
    found: list[Answer] = []
    rest = bytes(received)
    while b"\r\n\r\n" in rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if status == 100:
            continue
        length = 0 if bodiless else int(headers.get("content-length", "0"))
        if len(rest) < length:
            return found
        found.append(Answer(status, headers, _document(rest[:length])))
        rest = rest[length:]
    return found


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
