"""What the faces of segments, personas and milestones have in common: names, conditions, what is in force."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jornada.db import Connection
from jornada.events import WorkspaceId
from jornada.rules import Condition, Invalid, parse
from jornada.web import Problem
from services.journey.domain.segments import Role
from services.journey.domain.view import terms
from services.journey.store import in_force, memberships
from services.journey.store.in_force import Written
from services.journey.store.memberships import Count

MOST = 100
EXAMPLE = {"all": [{"silence": "signed_in", "at_least": "14 days"}, {"measure": "billing.seats", "above": 10}]}
FULL: Mapping[Role, tuple[int, str, str]] = {
    "segment": (409, "too_many", f"A workspace has at most {MOST} segments."),
    "persona": (409, "too_many", f"A workspace has at most {MOST} personas."),
    "milestone": (409, "too_many", f"A workspace has at most {MOST} milestones of its own."),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def named(found: Sequence[Written], role: Role, name: str) -> Written:
    """The one of that name; 404 where there is none."""
    standing = next((each for each in found if each.name == name), None)
    if standing is None:
        raise Problem(404, "not_found", f"No such {role}.")
    return standing


class Saved(NamedTuple):
    """The condition that is in force under a name, as JSON, and since which version."""

    text: bytes
    version: int


async def condition(connection: Connection, workspace: WorkspaceId, name: str, given: Mapping[str, Any]) -> Condition:
    """The condition given under a name; 400 that names everything wrong with either."""
    if not _NAME.fullmatch(name):
        raise Problem(
            400, "invalid_name", "A name is of a-z, 0-9, - and _, at most 60, and begins with a letter or digit."
        )
    spoken = (await in_force.read(connection, workspace)).vocabulary
    try:
        return parse(given, terms(spoken.kinds()))
    except Invalid as error:
        flaws = [flaw._asdict() for flaw in error.flaws]
        raise Problem(
            400, "invalid_condition", f"{flaws[0]['at'] or '/'}: {flaws[0]['message']}", errors=flaws
        ) from error


async def saved(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, given: Mapping[str, Any], now: datetime
) -> Saved:
    """Has a condition be in force under a name; 409 where there are too many."""
    await in_force.hold(connection, workspace)
    text = in_force.text_of(await condition(connection, workspace, name, given))
    found = await in_force.conditions(connection, workspace, role)
    standing = next((each for each in found if each.name == name), None)
    if standing is None and len(found) >= MOST:
        raise Problem(*FULL[role])
    if standing is not None and standing.condition == text:
        return Saved(text, standing.version)
    return Saved(text, await in_force.define(connection, workspace, role, name, text, now))


async def removed(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, now: datetime, *, dry_run: bool
) -> int:
    """Takes the condition of a name away, or only looks; 404 where there is none. Returns how many leave by it."""
    if not dry_run:
        await in_force.hold(connection, workspace)
    named(await in_force.conditions(connection, workspace, role), role, name)
    counts = await memberships.counts(connection, workspace, role)
    if not dry_run:
        await in_force.define(connection, workspace, role, name, None, now)
    return counts.get(name, Count()).customers
