"""By what each workspace's journeys are told: its rule set, its conditions, its vocabulary."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from jornada.db import Connection
from jornada.events import WorkspaceId, decode, encode
from jornada.rules import Condition, Invalid, parse, write
from services.journey.domain.rules import DEFAULT, OWN, RULE_SETS, RuleSet, nearest
from services.journey.domain.segments import Definition, InForce, Role
from services.journey.domain.view import terms
from services.journey.domain.vocabulary import ALL_KINDS, Meaning
from services.journey.store import vocabularies

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="number")


class Written(NamedTuple):
    """A segment, persona or milestone as it is stored: its condition as JSON, and the version that set it."""

    role: Role
    name: str
    condition: bytes
    version: int
    set_at: datetime
    label: str | None = None


async def held(connection: Connection, workspace: WorkspaceId) -> InForce:
    """What is in force, which nobody changes before this transaction ends."""
    query = "select rules, own, version from workspaces where workspace = $1 for share"
    row = await connection.fetchrow(query, workspace)
    if row is None:
        await connection.execute(
            "insert into workspaces (workspace, rules) values ($1, $2) on conflict do nothing", workspace, DEFAULT.name
        )
        row = await connection.fetchrow(query, workspace)
        assert row is not None
    return await _in_force(connection, workspace, row)


async def read(connection: Connection, workspace: WorkspaceId) -> InForce:
    """What is in force."""
    row = await connection.fetchrow("select rules, own, version from workspaces where workspace = $1", workspace)
    return InForce() if row is None else await _in_force(connection, workspace, row)


async def hold(connection: Connection, workspace: WorkspaceId) -> None:
    """Has everybody else who folds by it or changes it wait for the end of this transaction."""
    await connection.execute(
        """insert into workspaces (workspace, rules) values ($1, $2)
           on conflict (workspace) do update set version = workspaces.version""",
        workspace,
        DEFAULT.name,
    )


async def choose(connection: Connection, workspace: WorkspaceId, rules: RuleSet) -> None:
    """Puts a rule set in force and asks for every subject to be told by it; waits for batches under the old one."""
    await _next_version(connection, workspace)
    written = encode(rules) if rules.name == OWN else None
    await connection.execute(
        "update workspaces set rules = $2, own = $3 where workspace = $1", workspace, rules.name, written
    )
    await _tell_anew(connection, workspace, None)


async def conditions(connection: Connection, workspace: WorkspaceId, role: Role | None = None) -> list[Written]:
    """The segments, personas and milestones in force, or one sort of them, by name."""
    rows = await connection.fetch(
        """select role, name, condition, version, set_at, label from (
               select distinct on (role, name) role, name, condition, version, set_at, label from conditions
               where workspace = $1 and ($2::text is null or role = $2) order by role, name, version desc) as latest
           where condition is not null""",
        workspace,
        role,
    )
    return [Written(*row) for row in rows]


async def define(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, condition: bytes | None, now: datetime
) -> int:
    """Puts a condition in force under a name, or with None takes it away; every customer is told by it.

    Returns the new version. Waits for batches under the old one.
    """
    version = await _next_version(connection, workspace)
    await connection.execute(
        "insert into conditions (workspace, role, name, version, condition, set_at) values ($1, $2, $3, $4, $5, $6)",
        workspace,
        role,
        name,
        version,
        condition,
        now,
    )
    await _tell_anew(connection, workspace, "customer")
    return version


async def relabel(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, version: int, label: str | None
) -> None:
    """Gives a version of a condition another label for people; nobody is told anew by it."""
    await connection.execute(
        "update conditions set label = $5 where workspace = $1 and role = $2 and name = $3 and version = $4",
        workspace,
        role,
        name,
        version,
        label,
    )


async def speak(
    connection: Connection, workspace: WorkspaceId, meanings: Mapping[str, Meaning | None], by: UUID, now: datetime
) -> int:
    """Gives names meanings, or with None takes theirs away; every subject is told anew. Returns the new version.

    Waits for batches under the old one.
    """
    version = await _next_version(connection, workspace)
    await vocabularies.write(connection, workspace, version, meanings, by, now)
    await _tell_anew(connection, workspace, None)
    return version


async def lost_without(connection: Connection, workspace: WorkspaceId, kinds: frozenset[str]) -> list[str]:
    """What is in force and asks for a kind that is none of these: `segments/name`, `stages`, and so on."""
    found = await conditions(connection, workspace)
    lost = [f"{each.role}s/{each.name}" for each in found if not _stands(each.condition, kinds)]
    rules = (await read(connection, workspace)).rules
    stands = kinds.issuperset(rules.onboarding_kinds) and all(
        _stands(bytes(each), kinds) for each in rules.when.values()
    )
    return lost if stands else [*lost, "stages"]


def text_of(condition: Condition) -> bytes:
    """A condition as it is stored: JSON, the same for equal ones."""
    return _encoder.encode(write(condition))


def _stands(condition: bytes, kinds: frozenset[str]) -> bool:
    """Whether a stored condition asks for none but these kinds."""
    try:
        parse(decode(condition, dict), terms(kinds))
    except Invalid:
        return False
    return True


async def _in_force(connection: Connection, workspace: WorkspaceId, row: asyncpg.Record) -> InForce:
    if not row["version"]:
        return InForce(_rules(row))
    found = await conditions(connection, workspace)
    spoken = await vocabularies.read(connection, workspace)
    definitions = _compiled(tuple((each.role, each.name, each.condition) for each in found), spoken.own_kinds())
    rules = _rules(row)
    stages = _compiled(tuple(("stage", name, bytes(when)) for name, when in rules.when.items()), spoken.own_kinds())
    return InForce(rules, definitions, row["version"], spoken, stages)


def _rules(row: asyncpg.Record) -> RuleSet:
    if row["own"] is None:
        return RULE_SETS[row["rules"]]
    own: RuleSet = decode(row["own"], RuleSet)
    # Earlier releases stored it without its base.
    return own if own.base else msgspec.structs.replace(own, base=nearest(own).name)


@lru_cache(maxsize=1_000)
def _compiled(found: Sequence[tuple[Role, str, bytes]], own_kinds: frozenset[str]) -> tuple[Definition, ...]:
    known = terms(ALL_KINDS | own_kinds)
    return tuple(Definition(role, name, parse(decode(condition, dict), known)) for role, name, condition in found)


async def _next_version(connection: Connection, workspace: WorkspaceId) -> int:
    version: int = await connection.fetchval(
        """insert into workspaces (workspace, rules, version) values ($1, $2, 1)
           on conflict (workspace) do update set version = workspaces.version + 1 returning version""",
        workspace,
        DEFAULT.name,
    )
    return version


async def _tell_anew(connection: Connection, workspace: WorkspaceId, type_: str | None) -> None:
    await connection.execute(
        """insert into refolds (workspace, subject) select workspace, id from subjects
           where workspace = $1 and merged_into is null and ($2::text is null or type = $2)""",
        workspace,
        type_,
    )
