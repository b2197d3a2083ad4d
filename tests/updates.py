"""How Postgres updated a table's rows: in place of the old one (HOT: no index is written), or with every index."""

import asyncio
from typing import NamedTuple

import asyncpg


class Updates(NamedTuple):
    """Rows updated since the database was made, and those of them that were HOT."""

    every: int
    hot: int

    def since(self, earlier: "Updates") -> "Updates":
        return Updates(self.every - earlier.every, self.hot - earlier.hot)

    @property
    def share(self) -> float:
        """Of HOT ones, in 0–1."""
        return self.hot / self.every


async def counted(url: str, table: str, least: int = 0) -> Updates:
    """The updates of a table (`schema.table`), once there are `least`: a backend tells its counts when it ends."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(15):
            while True:
                row = await connection.fetchrow(
                    "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = $1::regclass", table
                )
                assert row is not None
                if row["n_tup_upd"] >= least:
                    return Updates(*row)
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
