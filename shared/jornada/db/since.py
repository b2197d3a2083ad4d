"""Since when what a transaction tells of has waited: handed on from the log to every queue that it passes through."""

from datetime import datetime

from jornada.db.database import Connection

SINCE = "nullif(current_setting('jornada.since', true), '')::timestamptz"
"""In SQL: when the earliest record was appended that this transaction tells of; null where it tells of none."""


async def tell_since(connection: Connection, appended_at: datetime | None) -> None:
    """Has what this transaction asks for or marks from now on be known as waiting since then; None tells of nothing."""
    await connection.execute(
        "select set_config('jornada.since', $1, true)", "" if appended_at is None else appended_at.isoformat()
    )
