"""The one way into Postgres. The only commit in the code base is here."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from jornada.db.errors import Unavailable, classify

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    _Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = object
    _Pool = object

_BEGIN = """
select set_config('role', $1, true), set_config('jornada.workspaces', $2, true),
       set_config('search_path', $3, true), current_setting('transaction_read_only'),
       set_config('plan_cache_mode', 'force_custom_plan', true)
"""
# A plan kept from when a table was small, or made without knowing an array's length, can cost a hundred times more.


class Database:
    """A pool of connections that act as one service: its role, its schema, and only the workspaces asked for.

    Every transaction takes the service's role, so row-level security holds even where the login could do more
    (and through a transaction-mode pooler, where nothing set on the session would last).
    """

    def __init__(
        self,
        url: str,
        service: str,
        *,
        max_connections: int = 8,
        statement_timeout: float = 30.0,
        lock_timeout: float = 10.0,
        prepared_statements: bool = True,
    ) -> None:
        self.service = service
        self.url = url
        self._max_connections = max_connections
        self._timeouts = {
            "statement_timeout": str(int(statement_timeout * 1000)),
            "lock_timeout": str(int(lock_timeout * 1000)),
            "idle_in_transaction_session_timeout": "60000",
        }
        self._command_timeout = statement_timeout + 5
        self._statement_cache = 256 if prepared_statements else 0
        self._pool: _Pool | None = None
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Opens the pool; raises Unavailable."""
        await self._opened()

    async def stop(self) -> None:
        """Closes every connection within 5 s."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), 5)
        except TimeoutError:
            pool.terminate()

    @asynccontextmanager
    async def transaction(
        self, workspaces: Iterable[UUID] = (), *, role: str | None = None
    ) -> AsyncIterator[Connection]:
        """One transaction as the service's role (or `role`), seeing `workspaces` only; commits at the end.

        Raises Unavailable (the same later may succeed; after a commit that was cut off the outcome is unknown),
        Conflict (again at once), or what asyncpg raises for bugs and bad data.
        """
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=10) as connection, connection.transaction():
                await self._become(connection, workspaces, role)
                yield connection
        except (Exception, asyncio.CancelledError) as error:
            known = classify(error)
            if known is None:
                raise
            raise known from error

    async def _become(self, connection: Connection, workspaces: Iterable[UUID], role: str | None) -> None:
        row = await connection.fetchrow(
            _BEGIN,
            role or f"jornada_{self.service}",
            ",".join(str(workspace) for workspace in workspaces),
            f"{self.service}, access",
        )
        if row is None or row[3] == "on":
            raise Unavailable("Postgres: read only")

    async def _opened(self) -> "_Pool":
        async with self._opening:
            if self._pool is None:
                try:
                    self._pool = await asyncpg.create_pool(
                        self.url,
                        min_size=1,
                        max_size=self._max_connections,
                        timeout=10,
                        command_timeout=self._command_timeout,
                        statement_cache_size=self._statement_cache,
                        max_inactive_connection_lifetime=60,
                        server_settings=self._timeouts if self._statement_cache else None,
                    )
                except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                    raise (classify(error) or error) from error
            return self._pool
