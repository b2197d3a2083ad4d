"""A workspace's own health profiles: every version of each, whole; the newest is in force unless it takes it back."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.scoring.domain.profiles import Profile
from services.scoring.domain.stating import decoded


class Saved(NamedTuple):
    """The newest version of an own profile; `document` is None where it takes the profile back.

    `document` is the whole profile and `given` what was said of it, both JSON.
    """

    name: str
    version: int
    document: bytes | None
    given: bytes | None
    since: datetime

    @property
    def profile(self) -> Profile | None:
        """The profile that is in force."""
        return None if self.document is None else _decoded(self.document)


async def saved(connection: Connection, workspace: WorkspaceId) -> dict[str, Saved]:
    """The newest version of each, by name, those taken back among them."""
    rows = await connection.fetch(
        """select distinct on (name) name, version, document, given, since from profiles
           where workspace = $1 order by name, version desc""",
        workspace,
    )
    return {row["name"]: Saved(*row) for row in rows}


async def versions(connection: Connection, workspace: WorkspaceId, name: str) -> list[Saved]:
    """All versions of one, the newest first."""
    rows = await connection.fetch(
        """select name, version, document, given, since from profiles
           where workspace = $1 and name = $2 order by version desc""",
        workspace,
        name,
    )
    return [Saved(*row) for row in rows]


async def own(
    connection: Connection, workspaces: Collection[WorkspaceId]
) -> dict[WorkspaceId, tuple[tuple[Profile, ...], int]]:
    """The profiles in force of each workspace, those first that are asked first whether they apply.

    And how often one was changed: a number that grows.
    """
    rows = await connection.fetch(
        """select distinct on (workspace, name) workspace, document from profiles
           where workspace = any($1::uuid[]) order by workspace, name, version desc""",
        list(workspaces),
    )
    said = await connection.fetch(
        "select workspace, count(*) from profiles where workspace = any($1::uuid[]) group by workspace",
        list(workspaces),
    )
    often = {row["workspace"]: row["count"] for row in said}
    found: dict[WorkspaceId, list[Profile]] = {workspace: [] for workspace in workspaces}
    for row in rows:
        if row["document"] is not None:
            found[row["workspace"]].append(_decoded(row["document"]))
    return {workspace: (in_order(profiles), often.get(workspace, 0)) for workspace, profiles in found.items()}


def in_order(profiles: Collection[Profile]) -> tuple[Profile, ...]:
    """As they are asked whether they apply: by `order`, then by name."""
    return tuple(sorted(profiles, key=lambda each: (each.order, each.name)))


async def save(connection: Connection, workspace: WorkspaceId, version: Saved, by: UUID) -> None:
    """Adds a version, which is in force from the end of this transaction on."""
    await connection.execute(
        """insert into profiles (workspace, name, version, document, given, since, set_by)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        workspace,
        *version,
        by,
    )


@lru_cache(maxsize=10_000)
def _decoded(document: bytes) -> Profile:
    return decoded(document)
