"""The paths of subjects as the faces read them: page by page, or one touchpoint."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, Touchpoint, WorkspaceId, decode
from jornada.instants import instant
from services.journey.domain.reading import Moment, Reading, read
from services.journey.domain.sessions import Session
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import identifiers, in_force, sessions

_LOOKED_AT = 5_000


class Path(NamedTuple):
    """Which touchpoints a page of a path shows: of a kind, of a session, before a place, up to an instant."""

    limit: int
    kind: str | None = None
    session: UUID | None = None
    before: Moment | None = None
    until: datetime | None = None


class Page(NamedTuple):
    """Touchpoints of a path, each with the id of its session; `next` is the place before which it goes on."""

    steps: list[tuple[Reading, UUID | None]]
    next: Moment | None


async def page(connection: Connection, workspace: WorkspaceId, id_: SubjectId, wanted: Path) -> Page:
    """A page of a subject's touchpoints. One of a rare kind may be shorter than asked for, and go on."""
    owners = [owner for owner, _ in (await identifiers.members(connection, workspace, [id_])).get(id_, [])]
    spoken = (await in_force.read(connection, workspace)).vocabulary
    span: tuple[datetime | None, datetime | None] = (None, wanted.until)
    if wanted.session is not None:
        every = (await sessions.of(connection, workspace, [id_])).get(id_, [])
        session = next((each for each in every if each.id == wanted.session), None)
        if session is None:
            return Page([], None)
        span = instant(session.started), min(instant(session.ended), wanted.until or instant(session.ended))
    found: list[Reading] = []
    before, looked_at, more = wanted.before, 0, True
    while more and len(found) <= wanted.limit and looked_at < _LOOKED_AT:
        size = wanted.limit + 1 if wanted.kind is None else _LOOKED_AT // 5
        piece = await _piece(connection, workspace, owners, spoken, span, before, size)
        looked_at, more = looked_at + len(piece), len(piece) == size
        found += [reading for reading in piece if wanted.kind is None or reading.kind == wanted.kind]
        before = piece[-1].moment if piece else None
    if len(found) > wanted.limit:
        before, more = found[wanted.limit - 1].moment, True
    steps = await _sat(connection, workspace, id_, found[: wanted.limit])
    return Page(steps, before if more else None)


async def _piece(
    connection: Connection,
    workspace: WorkspaceId,
    owners: Sequence[UUID],
    spoken: Vocabulary,
    span: tuple[datetime | None, datetime | None],
    before: Moment | None,
    limit: int,
) -> list[Reading]:
    """The latest touchpoints of owners within a span of time and before a place."""
    place = (instant(before[0]), *before[1:]) if before else (None, None, None)
    rows = await connection.fetch(
        """select record from touchpoints where workspace = $1 and owner = any($2)
             and ($3::timestamptz is null or occurred_at >= $3) and ($4::timestamptz is null or occurred_at <= $4)
             and ($5::timestamptz is null or (occurred_at, message_id, source) < ($5, $6::text, $7::text))
           order by occurred_at desc, message_id desc, source desc limit $8""",
        workspace,
        owners,
        *span,
        *place,
        limit,
    )
    return [read(decode(row["record"], Touchpoint), spoken) for row in rows]


async def one(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, message_id: str, source: str | None
) -> list[tuple[Reading, UUID | None]]:
    """A subject's touchpoints of one message id: one for each source that sent it."""
    owners = [owner for owner, _ in (await identifiers.members(connection, workspace, [id_])).get(id_, [])]
    rows = await connection.fetch(
        """select record from touchpoints where workspace = $1 and owner = any($2) and message_id = $3
             and ($4::text is null or source = $4) order by source limit 10""",
        workspace,
        owners,
        message_id,
        source,
    )
    spoken = (await in_force.read(connection, workspace)).vocabulary
    return await _sat(connection, workspace, id_, [read(decode(row["record"], Touchpoint), spoken) for row in rows])


async def _sat(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, readings: Sequence[Reading]
) -> list[tuple[Reading, UUID | None]]:
    if not readings:
        return []
    instants = [reading.touchpoint.occurred_at for reading in readings]
    found = (await sessions.of(connection, workspace, [id_], (min(instants), max(instants)))).get(id_, [])
    return [(reading, None if reading.ours else _session(found, reading.key[0])) for reading in readings]


def _session(found: Sequence[Session], us: int) -> UUID | None:
    return next((session.id for session in found if session.started <= us <= session.ended), None)
