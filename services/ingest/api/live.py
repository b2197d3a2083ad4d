"""Server-sent events: what is accepted and refused, as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager

import msgspec
from fastapi import Depends, FastAPI, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Unavailable
from jornada.web import Gate, Problem
from services.ingest.api import examples
from services.ingest.live import Live, Shown, Status, Watcher

PING_SECONDS = 15
CHECK_SECONDS = 10.0
"""Seconds after which a stream asks again whether its token still lets in."""
_GLANCE = 0.5
_SEND_SECONDS = 10

Lasting = Callable[[], Awaitable[bool]]
"""Whether a stream may go on."""


def serve_live(app: FastAPI, gate: Gate, live: Live, clock: Clock, ending: Callable[[], bool]) -> None:
    """Adds the route; streams end soon after `ending` says so, or their token is revoked."""

    @app.get(
        "/v1/live",
        tags=["events"],
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {"example": examples.VERDICTS}}}},
    )
    async def watched(
        request: Request,
        principal: Principal = Depends(gate.needs("read")),
        source: str | None = None,
        status: Status | None = None,
    ) -> EventSourceResponse:
        """Each verdict of this replica, or of one source or status, as an event `verdict`, from now on.

        `dropped` counts what a slow reader missed. Nothing is told twice: `GET /v1/rejections` has what is over.
        """
        if live.full:
            raise Problem(503, "too_many_streams", "Too many streams are open.", retry_after=10)
        lasting = _lasting(gate, request, clock, ending)
        with_person = "payloads" in principal.scopes
        return EventSourceResponse(
            _events(live.watch(principal.workspace, source, status), lasting, with_person),
            ping=PING_SECONDS,
            send_timeout=_SEND_SECONDS,
        )


def _lasting(gate: Gate, request: Request, clock: Clock, ending: Callable[[], bool]) -> Lasting:
    checked_at = clock.monotonic()

    async def lasting() -> bool:
        nonlocal checked_at
        if ending():
            return False
        if clock.monotonic() - checked_at < CHECK_SECONDS:
            return True
        checked_at = clock.monotonic()
        try:
            return await gate.admits(request)
        except Unavailable:
            return False

    return lasting


async def _events(
    watching: AbstractContextManager[Watcher], lasting: Lasting, with_person: bool
) -> AsyncIterator[ServerSentEvent]:
    with watching as watcher:
        yield ServerSentEvent(event="hello", data="{}")
        while await lasting():
            try:
                shown = await asyncio.wait_for(watcher.queue.get(), _GLANCE)
            except TimeoutError:
                continue
            yield ServerSentEvent(event="verdict", data=_text(shown, with_person))
            if watcher.dropped:
                missed, watcher.dropped = watcher.dropped, 0
                yield ServerSentEvent(event="dropped", data=f'{{"count": {missed}}}')


def _text(shown: Shown, with_person: bool) -> str:
    visible = shown if with_person else msgspec.structs.replace(shown, user_id=None, anonymous_id=None)
    return msgspec.json.encode(visible).decode()
