"""How far the touchpoints stored before e-mails linked anybody are read for what they state."""

from datetime import datetime

import asyncpg

from jornada.db import Connection
from jornada.events import Touchpoint, WorkspaceId, decode
from services.journey.domain.reading import Reading, read

_OWNER = ("owner", "uuid")
_DEVICE = ("device", "text")


async def waiting(connection: Connection, now: datetime) -> list[tuple[WorkspaceId, bool]]:
    """Which workspaces' touchpoints are to be read on, and whether by device; as the clock's role."""
    rows = await connection.fetch(
        "select workspace, by_device from earlier_emails where due_at <= $1 order by workspace, by_device", now
    )
    return [(row["workspace"], row["by_device"]) for row in rows]


async def next_piece(connection: Connection, workspace: WorkspaceId, by_device: bool, most: int) -> list[Reading]:
    """Reads on by up to `most` touchpoints, and notes how far; returns those that identify somebody.

    Read in both orders no touchpoint is passed by: with a user id it never has another owner, and never another device.
    """
    place, type_ = _DEVICE if by_device else _OWNER
    far = await connection.fetchrow(
        f"select {place} as place, occurred_at, message_id, source from earlier_emails"  # noqa: S608 - own text
        " where workspace = $1 and by_device = $2 for update skip locked",
        workspace,
        by_device,
    )
    if far is None:
        return []
    rows = await connection.fetch(
        f"""select {place} as place, occurred_at, message_id, source, record
            from touchpoints where workspace = $1 and {place} is not null
              and ($2::{type_} is null
                   or ({place}, occurred_at, message_id, source) > ($2, $3::timestamptz, $4::text, $5::text))
            order by {place}, occurred_at, message_id, source limit $6""",  # noqa: S608 - own text
        workspace,
        *far.values(),
        most,
    )
    await _note(connection, workspace, by_device, rows[-1] if len(rows) == most else None)
    told: list[Touchpoint] = [decode(row["record"], Touchpoint) for row in rows]
    return [read(touchpoint) for touchpoint in told if touchpoint.type == "identify"]


async def _note(connection: Connection, workspace: WorkspaceId, by_device: bool, last: asyncpg.Record | None) -> None:
    if last is None:
        await connection.execute(
            "delete from earlier_emails where workspace = $1 and by_device = $2", workspace, by_device
        )
        return
    place, _ = _DEVICE if by_device else _OWNER
    await connection.execute(
        f"update earlier_emails set {place} = $3, occurred_at = $4, message_id = $5, source = $6"  # noqa: S608
        " where workspace = $1 and by_device = $2",
        workspace,
        by_device,
        last["place"],
        last["occurred_at"],
        last["message_id"],
        last["source"],
    )
