"""What workspaces say of event names, by version: who said it, and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.vocabulary import SHIPPED, Meaning, Vocabulary


class Said(NamedTuple):
    """What is said of a name; a name of which nothing is said any more has no meaning."""

    name: str
    meaning: Meaning | None
    version: int
    set_at: datetime
    set_by: UUID


async def latest(connection: Connection, workspace: WorkspaceId) -> list[Said]:
    """The latest that was said of each name, by name."""
    rows = await connection.fetch(
        """select distinct on (name) name, kind, use, version, set_at, set_by from vocabulary
           where workspace = $1 order by name, version desc""",
        workspace,
    )
    return [
        Said(row["name"], _meaning(row["kind"], row["use"]), row["version"], row["set_at"], row["set_by"])
        for row in rows
    ]


async def read(connection: Connection, workspace: WorkspaceId) -> Vocabulary:
    """A workspace's vocabulary."""
    return _vocabulary(tuple((each.name, each.meaning, each.version) for each in await latest(connection, workspace)))


async def write(
    connection: Connection,
    workspace: WorkspaceId,
    version: int,
    meanings: Mapping[str, Meaning | None],
    by: UUID,
    now: datetime,
) -> None:
    """Keeps what is said from a version on."""
    said = sorted(meanings.items(), key=lambda item: item[0])
    await connection.execute(
        """insert into vocabulary (workspace, version, set_by, set_at, name, kind, use)
           select $1, $2, $3, $4, * from unnest($5::text[], $6::text[], $7::boolean[])""",
        workspace,
        version,
        by,
        now,
        [name for name, _ in said],
        [None if meaning is None else meaning.kind for _, meaning in said],
        [None if meaning is None else meaning.use for _, meaning in said],
    )


def _meaning(kind: str | None, use: bool | None) -> Meaning | None:
    return None if use is None else Meaning(kind, use)


@lru_cache(maxsize=1_000)
def _vocabulary(said: Sequence[tuple[str, Meaning | None, int]]) -> Vocabulary:
    if not said:
        return SHIPPED
    meanings = {name: meaning for name, meaning, _ in said if meaning is not None}
    return Vocabulary(meanings, max(version for _, _, version in said))
