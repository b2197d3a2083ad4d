"""A proxy between an SDK and ingest that does, by a seeded plan, what networks and servers do to requests."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_Headers = list[tuple[str, str]]
_PER_HOP = {"connection", "keep-alive", "content-length"}
_CORS = [("access-control-allow-origin", "*"), ("access-control-expose-headers", "retry-after")]


class Fault(StrEnum):
    """What befalls a request. The last two are no faults of a network: they are what the checker must catch."""

    NONE = "none"
    UNAVAILABLE = "503 with Retry-After"
    LIMITED = "429 with Retry-After"
    SILENT = "stored, never answered"
    CUT = "stored, cut before the answer"
    SWALLOWED = "answered 200, never passed on"
    RENAMED = "stored, cut, its message ids changed when it comes again"


@dataclass(frozen=True)
class Plan:
    """Which requests are struck: a `share` of them by `seed`, none whose events were struck `most` times before.

    `hold` is for how many seconds a request that is never answered is left waiting before its connection ends.
    """

    fault: Fault
    share: float = 0.6
    most: int = 2
    seed: int = 4
    hold: float = 3.5


class _Request(NamedTuple):
    method: str
    path: str
    headers: _Headers
    body: bytes


class _Answer(NamedTuple):
    status: int
    headers: _Headers
    body: bytes


class FaultProxy:
    """Counts what it did (`struck`), which message ids the SDK was told 200 of, and what ingest's verdicts were."""

    def __init__(self, upstream: str, plan: Plan) -> None:
        self.requests = self.struck = 0
        self.answered: set[str] = set()
        self.verdicts: Counter[str] = Counter()
        self._plan = plan
        self._random = Random(plan.seed)
        self._strikes: Counter[str] = Counter()
        self._upstream = urlsplit(upstream)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listens on 127.0.0.1 until the end of the block; its URL."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await _read(reader)
                answer = await self._answer(request)
                if answer is None:
                    break
                await _write(writer, f"HTTP/1.1 {answer.status} .", answer.headers, answer.body)
                self._note_answered(request, answer)
        writer.close()

    async def _answer(self, request: _Request) -> _Answer | None:
        ids = _ids(request)
        if not ids:
            return await self._pass(request)
        self.requests += 1
        fault = self._fault(ids)
        match fault:
            case Fault.UNAVAILABLE:
                return _failure(503, "unavailable")
            case Fault.LIMITED:
                return _failure(429, "rate_limited")
            case Fault.SWALLOWED:
                return _Answer(200, _CORS, b'{"success": true, "results": []}')
            case Fault.SILENT | Fault.CUT | Fault.RENAMED:
                await self._pass(request)
                await asyncio.sleep(self._plan.hold if fault is Fault.SILENT else 0)
                return None
        again = self._plan.fault is Fault.RENAMED and any(self._strikes[each] for each in ids)
        return await self._pass(_renamed(request) if again else request)

    def _fault(self, ids: list[str]) -> Fault:
        drawn = self._random.random() < self._plan.share
        if self._plan.fault is Fault.NONE or not drawn or max(self._strikes[each] for each in ids) >= self._plan.most:
            return Fault.NONE
        self._strikes.update(ids)
        self.struck += 1
        return self._plan.fault

    async def _pass(self, request: _Request) -> _Answer:
        reader, writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        first = f"{request.method} {request.path} HTTP/1.1"
        await _write(writer, first, [*_kept(request.headers), ("connection", "close")], request.body)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        if not head:
            raise ConnectionResetError("ingest hung up")
        status, headers = _parsed(head)
        answer = _Answer(int(status.split(" ")[1]), _kept(headers), body)
        if answer.status == 200 and _ids(request):
            self.verdicts.update(each.get("code") or each["status"] for each in json.loads(body)["results"])
        return answer

    def _note_answered(self, request: _Request, answer: _Answer) -> None:
        if answer.status == 200:
            self.answered.update(_ids(request))


async def _read(reader: asyncio.StreamReader) -> _Request:
    first, headers = _parsed((await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n"))
    method, path, _ = first.split(" ")
    length = int(dict(headers).get("content-length", "0"))
    return _Request(method, path, headers, await reader.readexactly(length))


async def _write(writer: asyncio.StreamWriter, first: str, headers: _Headers, body: bytes) -> None:
    lines = [f"{name}: {value}\r\n" for name, value in [*headers, ("content-length", str(len(body)))]]
    writer.write(f"{first}\r\n{''.join(lines)}\r\n".encode("latin-1") + body)
    await writer.drain()


def _parsed(head: bytes) -> tuple[str, _Headers]:
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def _kept(headers: _Headers) -> _Headers:
    """Without what belongs to one hop of the way."""
    return [(name, value) for name, value in headers if name not in _PER_HOP]


def _ids(request: _Request) -> list[str]:
    """The message ids of a request's events; none where it carries no event."""
    return [event["messageId"] for event in _document(request).get("batch", [])]


def _document(request: _Request) -> dict[str, Any]:
    """The body as a batch, a single event as a batch of one."""
    if request.method != "POST":
        return {}
    zipped = dict(request.headers).get("content-encoding") == "gzip"
    document: dict[str, Any] = json.loads(gzip.decompress(request.body) if zipped else request.body)
    return document if "batch" in document else {"batch": [document]}


def _renamed(request: _Request) -> _Request:
    body = request.body
    for each in _ids(request):
        body = body.replace(each.encode(), each[::-1].encode())
    return request._replace(body=body)


def _failure(status: int, code: str) -> _Answer:
    body = json.dumps({"code": code, "message": "Send it again."}).encode()
    return _Answer(status, [*_CORS, ("content-type", "application/json"), ("retry-after", "1")], body)
