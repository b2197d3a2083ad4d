"""A closed-loop load over keep-alive connections, cheap enough to leave the server the bottleneck."""

import asyncio
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


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12])
