"""More requests than can be served: on time, over a bounded number of connections, each answer noted."""

import asyncio
import time
from base64 import b64encode
from collections import Counter, deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

EVENTS = 250
_EVENT = b'{"type":"track","event":"Report Exported","userId":"person-@person@","messageId":"%b-@@number-%03d"}'


@dataclass
class Answers:
    """How many of each status, how long the admitted and the refused took, in seconds, and what broke the rules."""

    statuses: Counter[int] = field(default_factory=Counter)
    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    rude: int = 0
    cut: int = 0

    def note(self, status: int, head: bytes, seconds: float) -> None:
        """Notes an answer; one that refuses must say when to come back."""
        self.statuses[status] += 1
        (self.admitted if status == 200 else self.refused).append(seconds)
        self.rude += status in (429, 503) and b"retry-after:" not in head


def p99(seconds: list[float]) -> float:
    """The 99th percentile; 0 of none."""
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else 0.0


class _Line(asyncio.Protocol):
    """A connection with one request out at most."""

    def __init__(self, flood: "Flood") -> None:
        self._flood = flood
        self._transport: asyncio.Transport | None = None
        self._came = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._flood.idle.append(self)

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._came, self._sent_at = b"", time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            return
        self._flood.answers.note(int(head[9:12]), head.lower(), time.monotonic() - self._sent_at)
        self._sent_at = 0.0
        self._flood.returned(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._flood.lost(self, unanswered=self._sent_at > 0)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Flood:
    """Batches of EVENTS events from `lines` connections; a person a batch, so that every partition has its share."""

    def __init__(self, url: str, write_key: str, run: str, lines: int) -> None:
        self.answers = Answers()
        self.idle: deque[_Line] = deque()
        self.held_back = 0
        events = [_EVENT % (run.encode(), each) for each in range(EVENTS)]
        self._body = b'{"batch":[%b]}' % b",".join(events)
        self._port = int(urlsplit(url).port or 0)
        self._key = b64encode(f"{write_key}:".encode())
        self._lines = lines
        self._open: set[_Line] = set()
        self._number = 0
        self._closed_loop_until = 0.0

    async def __aenter__(self) -> "Flood":
        for _ in range(self._lines):
            await self._dial()
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in list(self._open):
            line.close()

    @property
    def out(self) -> int:
        """Requests without an answer."""
        return len(self._open) - len(self.idle)

    async def saturate(self, seconds: float) -> None:
        """Each connection sends again once it is answered."""
        self._closed_loop_until = time.monotonic() + seconds
        while self.idle:
            self._next(self.idle.popleft())
        await asyncio.sleep(seconds)
        await self.drained(15)

    async def offer(self, rate: float, seconds: float) -> None:
        """Sends `rate` a second, whatever comes back; where every connection waits, counts it as held back."""
        began, offered = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            due = int(now * rate)
            for _ in range(due - offered):
                if self.idle:
                    self._next(self.idle.popleft())
                else:
                    self.held_back += 1
            offered = due
            await asyncio.sleep(0.002)

    async def drained(self, seconds: float) -> None:
        """Returns once all are answered; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.out:  # noqa: ASYNC110  (an event for each answer would be measured too)
                await asyncio.sleep(0.01)

    def returned(self, line: _Line) -> None:
        """An answer came."""
        if time.monotonic() < self._closed_loop_until:
            self._next(line)
        else:
            self.idle.append(line)

    def lost(self, line: _Line, *, unanswered: bool) -> None:
        """A connection ended."""
        self._open.discard(line)
        if line in self.idle:
            self.idle.remove(line)
        self.answers.cut += unanswered

    async def _dial(self) -> None:
        _, line = await asyncio.get_running_loop().create_connection(lambda: _Line(self), "127.0.0.1", self._port)
        self._open.add(line)

    def _next(self, line: _Line) -> None:
        self._number += 1
        body = self._body.replace(b"@person@", b"%08d" % (self._number % 5_000))
        body = body.replace(b"@@number", b"%08d" % self._number)
        line.send(
            b"POST /v1/batch HTTP/1.1\r\nHost: i\r\nAuthorization: Basic %b\r\nContent-Length: %d\r\n\r\n%b"
            % (self._key, len(body), body)
        )
