"""Aliases as they link: of each user id the others, however often an app repeats itself."""

from collections.abc import Collection
from typing import NamedTuple

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.identity import MOST_TIED, Named
from services.journey.domain.reading import Moment
from services.journey.store.facts import moment


class Alias(NamedTuple):
    """That a user id was aliased with another id, since when, and whether that joins them: undone it does not."""

    user: Named
    other: Named
    at: Moment
    stands: bool


async def of(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> list[Alias]:
    """The aliases of user ids; of each that has too many to join anybody the first by name, so many that it is seen."""
    if not users:
        return []
    rows = await connection.fetch(
        f"{_steps('user_id', 'previous_id')} union all {_steps('previous_id', 'user_id')}",
        workspace,
        sorted(users),
        MOST_TIED["user_id", "user_id"],
    )
    return [_alias(row) for row in rows]


def _steps(mine: str, other: str) -> str:
    """From one other id to the next, as each may stand in a great many aliases."""
    others = f"select min({other}) from aliases where workspace = $1 and aliases.{mine} ="  # noqa: S608 - own text
    return f"""(with recursive step as (
            select given.id as {mine}, ({others} given.id) as {other}, 1 as number from unnest($2::text[]) as given (id)
            union all
            select {mine}, ({others} step.{mine} and {other} > step.{other}), number + 1 from step
            where {other} is not null and number <= $3)
        select step.{mine} as user_id, step.{other} as other, first.occurred_at, first.message_id, first.source,
               exists (select from identifiers where identifiers.workspace = $1 and type = 'user_id'
                       and value = step.previous_id and stated)
               and exists (
                   select from aliases where workspace = $1 and aliases.previous_id = step.previous_id
                       and aliases.user_id = step.user_id and not exists (
                           select from undos where undos.workspace = $1
                               and fact = 'alias:' || source || ':' || message_id)) as stands
        from step cross join lateral (
            select * from aliases where workspace = $1 and aliases.previous_id = step.previous_id
                and aliases.user_id = step.user_id order by occurred_at, message_id, source limit 1) as first)"""  # noqa: S608


def _alias(row: asyncpg.Record) -> Alias:
    return Alias(Named("user_id", row["user_id"]), Named("user_id", row["other"]), moment(row), row["stands"])
