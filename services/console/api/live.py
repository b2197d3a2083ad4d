"""Live streams of the other services, passed through to the viewer's browser."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response, StreamingResponse

from jornada.runtime.service import Health
from jornada.web import Problem
from services.console.api.viewers import Viewer, seen_by
from services.console.sessions import Sessions
from services.console.sisters import Name, Sisters

STREAMS_MAX = 200
_AWAY = b"retry: 5000\nevent: away\ndata: {}\n\n"


class Relay:
    """Passes server-sent events on, at most STREAMS_MAX at a time, until either side leaves or the process drains."""

    def __init__(self, sisters: Sisters, health: Health) -> None:
        self._sisters = sisters
        self._health = health
        self._open = 0

    def stream(self, request: Request, viewer: Viewer, service: Name, path: str) -> Response:
        """The answer that streams; 503 when too many are open."""
        if self._open >= STREAMS_MAX:
            raise Problem(503, "too_many_streams", "Too many live pages are open.", retry_after=10)
        last = request.headers.get("last-event-id", "")
        headers = {"last-event-id": last} if last.isascii() and last.isprintable() and last else {}
        return StreamingResponse(
            self._relayed(viewer.api_token, service, path, headers),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _relayed(self, token: str, service: Name, path: str, headers: dict[str, str]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async with self._sisters.stream(service, path, token, headers) as chunks:
                if chunks is None:
                    yield _AWAY
                    return
                async for chunk in self._until_drained(chunks):
                    yield chunk
        finally:
            self._open -= 1

    async def _until_drained(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        coming: asyncio.Future[bytes | None] | None = None
        try:
            while not self._health.draining:
                coming = coming or asyncio.ensure_future(anext(chunks, None))
                done, _ = await asyncio.wait({coming}, timeout=0.5)
                if not done:
                    continue
                chunk, coming = coming.result(), None
                if chunk is None:
                    return
                yield chunk
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)


def serve(app: FastAPI, relay: Relay, sessions: Sessions) -> None:
    """Adds the streams that pages listen to."""

    @app.get("/live/verdicts", tags=["live"])
    async def verdicts(request: Request, viewer: Viewer = Depends(seen_by(sessions))) -> Response:
        """What ingest accepts and refuses, as it comes."""
        return relay.stream(request, viewer, "ingest", "/v1/live")

    @app.get("/live/alerts", tags=["live"])
    async def alerts(request: Request, viewer: Viewer = Depends(seen_by(sessions))) -> Response:
        """Alerts as they are told."""
        return relay.stream(request, viewer, "notify", "/v1/alerts/stream")
