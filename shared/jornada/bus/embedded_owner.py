"""One process owns the embedded log: an advisory lock that Postgres drops with the process, and an epoch as a fence."""

import asyncio

import asyncpg

from jornada.bus.carrier import BusUnavailable
from jornada.db.errors import classify

_LOCK = 0x6A6F726E62757300
_PATIENCE = 10.0

_HOLDER = """
select a.pid, coalesce(host(a.client_addr), 'this machine') as host
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and (l.classid::bigint << 32 | l.objid::bigint) = $1
  and l.database = (select oid from pg_database where datname = current_database())
"""


class LogHeld(BusUnavailable):
    """Another process owns the embedded log."""


class Ownership:
    """Held from `claim` until `release`, or until its connection is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._epoch = 0

    @property
    def epoch(self) -> int | None:
        """The number of this ownership, which every write names; None while the log is not ours."""
        held = self._connection is not None and not self._connection.is_closed()
        return self._epoch if held else None

    async def claim(self) -> int:
        """Makes the log ours and fences off whoever owned it before; raises LogHeld or BusUnavailable."""
        await self.release()
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await asyncpg.connect(self._url, timeout=_PATIENCE, command_timeout=_PATIENCE)
                try:
                    self._epoch = await _taken(connection)
                except BaseException:
                    connection.terminate()
                    raise
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if classify(error) is None:
                raise
            raise BusUnavailable(f"the embedded log: Postgres cannot be reached ({type(error).__name__})") from error
        self._connection = connection
        return self._epoch

    async def release(self) -> None:
        """Gives the log up; returns within a second."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=1)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()


async def _taken(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    await connection.execute("set role jornada_bus; set idle_session_timeout = 0")
    if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
        holder = await connection.fetchrow(_HOLDER, _LOCK)
        who = f"Postgres backend {holder['pid']} from {holder['host']}" if holder else "it has just gone"
        raise LogHeld(f"another process owns the embedded log ({who}): run a single process, or use Kafka")
    epoch: int = await connection.fetchval("update bus.owner set epoch = epoch + 1 returning epoch")
    return epoch
