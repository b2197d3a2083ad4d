"""Server-sent events: what is accepted and refused, as it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from fastapi import Depends, FastAPI
from sse_starlette import EventSourceResponse, ServerSentEvent

from jornada.access.grants import Principal
from jornada.events import WorkspaceId
from jornada.web import Gate
from services.ingest.live import Live, Shown

_GLANCE = 0.5
_SEND_SECONDS = 10


def serve_live(app: FastAPI, gate: Gate, live: Live, ending: Callable[[], bool]) -> None:
    """Adds the route; streams end soon after `ending` says so."""

    @app.get("/v1/live", tags=["events"], response_class=EventSourceResponse)
    async def watched(principal: Principal = Depends(gate.needs("read"))) -> EventSourceResponse:
        """Each verdict as an event `verdict`; `dropped` counts what a slow reader missed. A replica shows its own."""
        events = _events(live, principal.workspace, "payloads" in principal.scopes, ending)
        return EventSourceResponse(events, ping=15, send_timeout=_SEND_SECONDS)


async def _events(
    live: Live, workspace: WorkspaceId, payloads: bool, ending: Callable[[], bool]
) -> AsyncIterator[ServerSentEvent]:
    with live.watch(workspace) as watcher:
        yield ServerSentEvent(event="hello", data="{}")
        while not ending():
            try:
                shown = await asyncio.wait_for(watcher.queue.get(), _GLANCE)
            except TimeoutError:
                continue
            yield ServerSentEvent(event="verdict", data=_text(shown, payloads))
            if watcher.dropped:
                missed, watcher.dropped = watcher.dropped, 0
                yield ServerSentEvent(event="dropped", data=f'{{"count": {missed}}}')


def _text(shown: Shown, payloads: bool) -> str:
    visible = shown if payloads else msgspec.structs.replace(shown, user_id=None, anonymous_id=None)
    return msgspec.json.encode(visible).decode()
