"""A journey service that takes every record for a new one: what the oracle must catch."""

from collections.abc import Sequence
from uuid import UUID

from jornada.db import Connection
from jornada.events import Touchpoint, WorkspaceId
from jornada.runtime.main import main
from services.journey.app import build
from services.journey.domain.reading import Reading
from services.journey.settings import Settings
from services.journey.store import accepted, touchpoints

_accept = accepted.accept
_add = touchpoints.add


async def _fresh_again(connection: Connection, workspace: WorkspaceId, told: Sequence[Touchpoint]) -> accepted.Sorted:
    """Those of a device alone apart, which would not know whose they are."""
    sorted_ = await _accept(connection, workspace, told)
    twice = [each for each in sorted_.again if each.user_id is not None]
    return accepted.Sorted([*sorted_.fresh, *twice], [], [])


async def _add_what_is_missing(
    connection: Connection, workspace: WorkspaceId, owned: Sequence[tuple[UUID, Reading]]
) -> None:
    rows = await connection.fetch(
        "select source, message_id from touchpoints where workspace = $1 and message_id = any($2)",
        workspace,
        [reading.touchpoint.message_id for _, reading in owned],
    )
    known = {(row["source"], row["message_id"]) for row in rows}
    missing = [
        (owner, reading)
        for owner, reading in owned
        if (reading.touchpoint.source, reading.touchpoint.message_id) not in known
    ]
    if missing:
        await _add(connection, workspace, missing)


accepted.accept = _fresh_again  # type: ignore[assignment]
touchpoints.add = _add_what_is_missing
main("journey", Settings, build)
