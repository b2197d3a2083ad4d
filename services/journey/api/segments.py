"""Segments and personas: what they are, who is in them, and what a change would do."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.instants import instant, micros
from jornada.rules import Condition, holds
from jornada.web import Gate, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api import conditions
from services.journey.domain.segments import Role, course
from services.journey.domain.view import StateView
from services.journey.store import in_force, memberships, portraits
from services.journey.store.in_force import Written
from services.journey.store.memberships import Count

_PIECE = 200
_ROLES: tuple[Role, ...] = ("segment", "persona")


class Defined(BaseModel):
    """A condition, as docs/rules.md says."""

    when: dict[str, Any] = Field(examples=[conditions.EXAMPLE])


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes, the same ones for segments and for personas."""
    for role in _ROLES:
        _serve(app, gate, database, clock, role)


def _serve(app: FastAPI, gate: Gate, database: Database, clock: Clock, role: Role) -> None:
    path = f"/v1/{role}s"

    @app.get(path, tags=[f"{role}s"], name=f"{role}s")
    async def listed(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """All there are, by name, each with how many customers are in it now."""
        async with database.transaction([principal.workspace]) as connection:
            found = await in_force.conditions(connection, principal.workspace, role)
            counts = await memberships.counts(connection, principal.workspace, role)
        return answer(page([_document(each, counts) for each in found], None))

    @app.get(f"{path}/{{name}}", tags=[f"{role}s"], name=role)
    async def one(name: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One of them."""
        async with database.transaction([principal.workspace]) as connection:
            found = await in_force.conditions(connection, principal.workspace, role)
            counts = await memberships.counts(connection, principal.workspace, role)
        return answer(_document(conditions.named(found, role, name), counts))

    @app.put(
        f"{path}/{{name}}",
        tags=[f"{role}s"],
        name=f"define {role}",
        responses=documents.refusals(conditions.FULL[role]),
    )
    async def defined(
        name: str, given: Defined, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Sets its condition; every customer is judged by it within seconds, since when they have been in it included.

        400 `invalid_condition` names every flaw in `errors`. `dry_run` only says how many would enter and leave.
        """
        if dry_run:
            async with database.transaction([principal.workspace]) as connection:
                wanted = await conditions.condition(connection, principal.workspace, name, given.when)
            return answer(await _would_change(database, clock, principal.workspace, role, name, wanted))
        async with database.transaction([principal.workspace]) as connection:
            saved = await conditions.saved(connection, principal.workspace, role, name, given.when, clock.now())
        return answer({"name": name, "version": saved.version, "when": msgspec.Raw(saved.text)})

    @app.delete(f"{path}/{{name}}", tags=[f"{role}s"], name=f"remove {role}")
    async def removed(
        name: str, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Takes it away; nobody is or was in it any more. `dry_run` only says how many would leave."""
        async with database.transaction([principal.workspace]) as connection:
            leaving = await conditions.removed(
                connection, principal.workspace, role, name, clock.now(), dry_run=dry_run
            )
        return answer({"name": name, "dry_run": dry_run, "leaving": leaving})


def _document(each: Written, counts: Mapping[str, Count]) -> dict[str, Any]:
    return {
        "name": each.name,
        "when": msgspec.Raw(each.condition),
        "version": each.version,
        "set_at": each.set_at,
        "customers": counts.get(each.name, Count()).customers,
    }


async def _would_change(
    database: Database, clock: Clock, workspace: WorkspaceId, role: Role, name: str, wanted: Condition
) -> dict[str, object]:
    """How many customers would be in it, and how many of them enter or leave, were the condition in force now."""
    customers, entering, leaving, after = 0, 0, 0, UUID(int=0)
    while True:
        async with database.transaction([workspace]) as connection:
            force = await in_force.read(connection, workspace)
            found = await portraits.states(connection, workspace, _PIECE, after)
            members = await memberships.among(connection, workspace, role, name, [each[0] for each in found])
        for id_, type_, _, state, truths in found:
            after = id_
            if type_ != "customer" or state.last is None:
                continue
            now = micros(max(clock.now(), instant(state.last[0])))
            inside = holds(wanted, StateView(state, force.rules, course(state, truths, force)), now)
            customers += inside
            entering += inside and id_ not in members
            leaving += not inside and id_ in members
        if len(found) < _PIECE:
            break
        await asyncio.sleep(0)
    return {"name": name, "dry_run": True, "customers": customers, "entering": entering, "leaving": leaving}
