"""The months that touchpoints are kept by: each a table of its own, found and made by its name."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from jornada.db import Connection

_NAME = "touchpoints_%Y_%m"
_KEPT = timedelta(days=124)
_PATIENCE_SECONDS = 2


def begin(instant: datetime) -> datetime:
    """The first instant of the month in which an instant lies."""
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def cover(connection: Connection, instants: Iterable[datetime]) -> None:
    """Has a month for each instant, but those so far away that one table holds them all. No writer waits for it."""
    begins = {begin(instant) for instant in instants}
    if begins:
        await connection.execute("select cover_touchpoints($1)", sorted(begins))


async def empty(connection: Connection, now: datetime) -> list[datetime]:
    """The months in which no workspace has any touchpoint, a season and more after them; as the clock's role."""
    names = await connection.fetch(
        """select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
           where inhparent = 'journey.touchpoints'::regclass and relname ~ '^touchpoints_[0-9]{4}_[0-9]{2}$'
           order by relname"""
    )
    found = []
    for row in names:
        month = datetime.strptime(row["relname"], _NAME).replace(tzinfo=UTC)
        if month < now - _KEPT and not await _holds_any(connection, month):
            found.append(month)
    return found


async def drop(connection: Connection, month: datetime) -> bool:
    """Drops a month if it is empty. Everybody waits for it meanwhile: for two seconds, then it gives up."""
    await connection.execute(
        "select set_config('lock_timeout', $1, true), set_config('statement_timeout', $1, true)",
        f"{_PATIENCE_SECONDS}s",
    )
    dropped: bool = await connection.fetchval("select drop_touchpoints($1)", month)
    return dropped


async def _holds_any(connection: Connection, month: datetime) -> bool:
    holds: bool = await connection.fetchval(
        "select exists (select from touchpoints where occurred_at >= $1 and occurred_at < $2)",
        month,
        begin(month + timedelta(days=31)),
    )
    return holds
