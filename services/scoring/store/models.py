"""The registry of churn models: what each learned from, how well it does, and which one is the champion."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from jornada.observe import logs
from services.scoring.domain.ladder import Model, refused, serving

_log = logs.get(__name__)

Status = Literal["shadow", "champion", "retired"]


class Registered(NamedTuple):
    """A registered model, by column, without its parameters. `metrics` and `calibrator` are JSON."""

    id: UUID
    level: int
    name: str
    schema: str
    trained_from: datetime | None
    trained_until: datetime | None
    data_hash: str
    metrics: str
    calibrator: str | None
    status: Status
    status_since: datetime
    created_at: datetime


async def champions(connection: Connection, workspaces: Collection[WorkspaceId]) -> dict[WorkspaceId, Model]:
    """What serves in each workspace that has a champion; one that this release cannot serve is passed over."""
    rows = await connection.fetch(
        "select workspace, id, level, schema from models where workspace = any($1::uuid[]) and status = 'champion'",
        list(workspaces),
    )
    for row in rows:
        why = refused(row["level"], row["schema"])
        if why is not None:
            _say_once(row["id"], why)
    return {row["workspace"]: serving(row["level"], row["schema"]) for row in rows}


async def registered(
    connection: Connection, workspace: WorkspaceId, limit: int, after: tuple[datetime, UUID] | None
) -> Sequence[Registered]:
    """Up to `limit` models, the newest first, older than the one named."""
    at, id_ = after or (None, None)
    rows = await connection.fetch(
        f"""select {", ".join(Registered._fields)} from models
            where workspace = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
            order by created_at desc, id desc limit $4""",  # noqa: S608 - our own columns
        workspace,
        at,
        id_,
        limit,
    )
    return [Registered(*row) for row in rows]


@lru_cache(maxsize=1_000)
def _say_once(model: UUID, why: str) -> None:
    _log.warning("model.passed_over", model=str(model), why=why)
