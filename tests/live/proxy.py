"""A TCP relay that stands before a broker and can cut, or swallow, what the broker answers."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal

Mode = Literal["open", "cut", "swallow"]


class Proxy:
    """Relays to `target` on the loopback. `cut` closes a connection when an answer comes; `swallow` drops answers."""

    def __init__(self) -> None:
        self.mode: Mode = "open"
        self.cuts = 0
        self.target = 0
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(_pump(reader, back, _passed)),
            asyncio.create_task(_pump(there, writer, self._answered)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, back):
            end.close()

    async def _answered(self, answer: bytes) -> bytes | None:
        if self.mode == "cut":
            self.cuts += 1
            return None
        return b"" if self.mode == "swallow" else answer


async def _passed(part: bytes) -> bytes | None:
    return part


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, filtered: Callable[[bytes], Awaitable[bytes | None]]
) -> None:
    """Until either side ends, or the filter says so with None."""
    try:
        while part := await source.read(65_536):
            kept = await filtered(part)
            if kept is None:
                return
            sink.write(kept)
            await sink.drain()
    except OSError:
        return
