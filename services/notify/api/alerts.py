"""Alerts: the list, and the live stream that a client can leave and join again without a gap."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Annotated, NamedTuple
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI, Header, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import WorkspaceId
from jornada.observe import logs
from jornada.web import Gate, Limit, Problem, cursor_of, number_after, parse_reference
from jornada.web.app import answer
from jornada.web.pages import page
from services.notify.dispatch.feed import Feed
from services.notify.store import alerts, subjects

_log = logs.get(__name__)

MEMORY = timedelta(hours=24)
"""How far back a live stream goes; the list goes further."""
PING_SECONDS = 15
_AT_ONCE = 200
_BEGINNING = "0"


class Start(NamedTuple):
    """Where a stream begins: after the alert `id` at `place`; `reset` if what the client asked for is not in memory."""

    place: int
    id: str
    newest: str
    reset: bool = False


def serve(
    app: FastAPI, gate: Gate, *, database: Database, feed: Feed, clock: Clock, draining: Callable[[], bool]
) -> None:
    """Adds the routes."""

    @app.get("/v1/alerts", tags=["alerts"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")),
        after: str | None = None,
        limit: Limit = 100,
        subject: str | None = None,
        cursor: str | None = None,
    ) -> Response:
        """Alerts from the oldest on, or after the one whose id is given, of everybody or of one subject."""
        workspace = principal.workspace
        async with database.transaction([workspace]) as connection:
            place = await _place(connection, workspace, after, cursor)
            family = await _family(connection, workspace, subject)
            found = await alerts.after(connection, workspace, place, limit + 1, family)
        items = [msgspec.Raw(row.body) for row in found[:limit]]
        return answer(page(items, cursor_of(found[limit - 1].sequence) if len(found) > limit else None))

    @app.get("/v1/alerts/stream", tags=["alerts"], response_class=EventSourceResponse)
    async def streamed(
        principal: Principal = Depends(gate.needs("read")),
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Alerts as they come, as server-sent events; `Last-Event-ID` goes on after that one, `0` from the start."""
        async with database.transaction([principal.workspace]) as connection:
            since = clock.now() - MEMORY
            first = await alerts.before_memory(connection, principal.workspace, since)
            start = await _start(connection, principal.workspace, last_event_id, first)
        stream = _stream(database, feed, principal.workspace, start, draining)
        return EventSourceResponse(stream, ping=PING_SECONDS, send_timeout=30)


async def _start(connection: Connection, workspace: WorkspaceId, last: str | None, first: int) -> Start:
    newest = await alerts.newest(connection, workspace)
    place, id_ = (0, _BEGINNING) if newest is None else (newest.sequence, str(newest.id))
    if last is None or last == "":
        return Start(place, id_, id_)
    if last == _BEGINNING:
        return Start(first, _BEGINNING, id_)
    try:
        row = await alerts.one(connection, workspace, UUID(last))
    except ValueError:
        row = None
    if row is None or row.sequence < first:
        return Start(place, id_, id_, reset=True)
    return Start(row.sequence, last, id_)


async def _stream(
    database: Database, feed: Feed, workspace: WorkspaceId, start: Start, draining: Callable[[], bool]
) -> AsyncIterator[ServerSentEvent]:
    """The events. The greeting carries the id to go on from: who leaves before the first alert misses none."""
    about = msgspec.json.encode({"newest": None if start.newest == _BEGINNING else start.newest}).decode()
    yield ServerSentEvent(about, event="hello", id=start.id)
    if start.reset:
        yield ServerSentEvent(about, event="reset", id=start.id)
    place = start.place
    try:
        while not draining():
            async with database.transaction([workspace]) as connection:
                rows = await alerts.after(connection, workspace, place, _AT_ONCE)
            for row in rows:
                yield ServerSentEvent(row.body.decode(), event="alert", id=str(row.id))
                place = row.sequence
            while not draining() and not await feed.beyond(workspace, place, 0.5):
                pass
    except (Unavailable, Conflict) as error:
        # The client joins again after the last alert that it got.
        _log.warning("stream.ended", error=str(error))


async def _place(connection: Connection, workspace: WorkspaceId, after: str | None, cursor: str | None) -> int:
    if cursor is not None:
        return number_after(cursor)
    if after is None or after == _BEGINNING:
        return 0
    try:
        row = await alerts.one(connection, workspace, UUID(after))
    except ValueError:
        raise Problem(400, "invalid", "`after` is the id of an alert, or 0.") from None
    if row is None:
        raise Problem(404, "not_found", "There is no alert of that id.")
    return row.sequence


async def _family(connection: Connection, workspace: WorkspaceId, subject: str | None) -> list[UUID] | None:
    if subject is None:
        return None
    reference = parse_reference(quote(subject, safe=""))
    found = await subjects.find(connection, workspace, reference)
    if found is None:
        raise Problem(404, "not_found", "Nobody is known by that reference.")
    return await subjects.family(connection, workspace, found)
