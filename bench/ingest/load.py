"""Load over keep-alive connections: a closed loop for what is possible, an open one for how long it takes."""

import asyncio
import gc
import time

from bench.ingest.bodies import Bodies


class Load:
    """`connections` of them, each with one request in flight."""

    def __init__(self, port: int, bodies: Bodies, connections: int) -> None:
        self._port = port
        self._bodies = bodies
        self._connections = connections
        self.answered = 0
        self.failed = 0

    async def run(self, seconds: float) -> int:
        """Sends for so long; returns the events that were answered with 200."""
        before = self.answered
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._connection(until) for _ in range(self._connections)))
        return (self.answered - before) * self._bodies.size

    async def _connection(self, until: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.monotonic() < until:
                writer.write(self._bodies.request())
                status = await _answer(reader)
                self.answered += status == 200
                self.failed += status != 200
        finally:
            writer.close()


class OpenLoad:
    """Requests on time, `rate` a second, however long the answers take; each latency counts from when it was due.

    The first second, in which as many connections are opened as are needed, is not counted. The collector of cycles
    rests: a look at all objects of this process stops it for a tenth of a second, which would be told as the server's.
    """

    _SETTLING = 1.0

    def __init__(self, port: int, bodies: Bodies, rate: float) -> None:
        self._port = port
        self._bodies = bodies
        self._rate = rate
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._opened: list[asyncio.StreamWriter] = []
        self.latencies: list[float] = []
        self.failed = 0

    async def run(self, seconds: float) -> None:
        """Sends for so long, then waits for the last answers."""
        gc.disable()
        try:
            await self._send(seconds)
        finally:
            gc.enable()

    async def _send(self, seconds: float) -> None:
        began, waiting = time.monotonic(), set()
        for number in range(int((self._SETTLING + seconds) * self._rate)):
            after = number / self._rate
            await asyncio.sleep(max(0.0, began + after - time.monotonic()))
            waiting.add(asyncio.create_task(self._one(began + after, counts=after >= self._SETTLING)))
        await asyncio.gather(*waiting)
        for writer in self._opened:
            writer.close()

    async def _one(self, due: float, *, counts: bool) -> None:
        reader, writer = self._idle.pop() if self._idle else await self._dial()
        writer.write(self._bodies.request())
        self.failed += await _answer(reader) != 200
        if counts:
            self.latencies.append(time.monotonic() - due)
        self._idle.append((reader, writer))

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._opened.append(writer)
        return reader, writer


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12])
