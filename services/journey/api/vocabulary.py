"""The vocabulary of a workspace: what its event names mean, and what a change of that would do."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import WorkspaceId
from jornada.web import Gate, Problem, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api.foretelling import foretold
from services.journey.domain.vocabulary import CUSTOM, KINDS, Meaning, Vocabulary, flaws
from services.journey.store import in_force, vocabularies
from services.journey.store.vocabularies import Said

Change = Callable[[Mapping[str, Meaning]], dict[str, Meaning]]
"""From what a workspace says of names to what it would say."""


class Spoken(BaseModel):
    """What a name means: its kind (without one, the kind it has anyway), and whether it is an act of use."""

    model_config = ConfigDict(extra="forbid")

    kind: str | None = Field(default=None, examples=["feature_used"])
    use: bool = True

    def meaning(self) -> Meaning:
        """As the domain has it."""
        return Meaning(self.kind, self.use)


class Whole(BaseModel):
    """Everything that a workspace says of names, by name."""

    model_config = ConfigDict(extra="forbid")

    names: dict[str, Spoken] = Field(
        examples=[{"Report Exported": {"kind": "report_exported"}, "Heartbeat": {"use": False}}]
    )


_USED = (409, "in_use", "A segment, a persona, a milestone or the rule set asks for a kind that would be gone.")


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/vocabulary", tags=["vocabulary"])
    async def shown(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """Every name that has a meaning, by name: those that ship, and the workspace's own with who set them, when."""
        async with database.transaction([principal.workspace]) as connection:
            said = {each.name: each for each in await vocabularies.latest(connection, principal.workspace)}
        own = [name for name, each in said.items() if each.meaning is not None]
        return answer(page([_document(name, said.get(name)) for name in sorted({*KINDS, *own})], None))

    @app.get("/v1/vocabulary/{name}", tags=["vocabulary"])
    async def one(name: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """What any name means here, listed or not."""
        async with database.transaction([principal.workspace]) as connection:
            said = {each.name: each for each in await vocabularies.latest(connection, principal.workspace)}
        return answer(_document(unquote(name), said.get(unquote(name))))

    @app.put("/v1/vocabulary", tags=["vocabulary"], responses=documents.refusals(_USED))
    async def replaced(
        given: Whole, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Sets all that the workspace says of names: what is not in it means again what ships.

        400 `invalid_vocabulary` names every flaw in `errors`. Every journey is told by it within seconds, from its
        first touchpoint on. `dry_run` only says how many touchpoints and customers it concerns, and whose stage
        changes.
        """
        wanted = {name: each.meaning() for name, each in given.names.items()}
        return answer(await _changed(principal, lambda _: wanted, dry_run))

    @app.put("/v1/vocabulary/{name}", tags=["vocabulary"], responses=documents.refusals(_USED))
    async def set_one(
        name: str, given: Spoken, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Gives one name a meaning and leaves the others; `{"use": false}` says that it is no use."""
        return answer(await _changed(principal, lambda now: {**now, unquote(name): given.meaning()}, dry_run))

    @app.delete("/v1/vocabulary/{name}", tags=["vocabulary"], responses=documents.refusals(_USED))
    async def removed(
        name: str, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Takes the workspace's own meaning of a name away: it means again what ships."""

        def without(now: Mapping[str, Meaning]) -> dict[str, Meaning]:
            if unquote(name) not in now:
                raise Problem(404, "not_found", "The workspace says nothing of this name.")
            return {each: meaning for each, meaning in now.items() if each != unquote(name)}

        return answer(await _changed(principal, without, dry_run))

    async def _changed(principal: Principal, change: Change, dry_run: bool) -> dict[str, Any]:
        workspace = principal.workspace
        async with database.transaction([workspace]) as connection:
            if not dry_run:
                await in_force.hold(connection, workspace)
            force = await in_force.read(connection, workspace)
            wanted = Vocabulary(change(force.vocabulary.meanings), force.vocabulary.version)
            await _check(connection, workspace, wanted)
            different = _different(force.vocabulary.meanings, wanted.meanings)
            version = wanted.version
            if different and not dry_run:
                said = {name: wanted.meanings.get(name) for name in different}
                version = await in_force.speak(connection, workspace, said, principal.token_id, clock.now())
        if not dry_run:
            return {"version": version, "names": sorted(different)}
        return {"dry_run": True, **await foretold(database, clock, workspace, force, wanted, different)}


async def _check(connection: Connection, workspace: WorkspaceId, wanted: Vocabulary) -> None:
    found = [{"at": f"/names/{name}" if name else "/names", "message": why} for name, why in flaws(wanted.meanings)]
    if found:
        raise Problem(400, "invalid_vocabulary", f"{found[0]['at']}: {found[0]['message']}"[:300], errors=found)
    lost = await in_force.lost_without(connection, workspace, wanted.kinds())
    if lost:
        raise Problem(*_USED, errors=[{"at": each, "message": "asks for it"} for each in lost])


def _different(now: Mapping[str, Meaning], wanted: Mapping[str, Meaning]) -> set[str]:
    return {name for name in {*now, *wanted} if now.get(name) != wanted.get(name)}


def _document(name: str, said: Said | None) -> dict[str, Any]:
    meaning = said.meaning if said is not None else None
    shipped = KINDS.get(name, CUSTOM)
    own = said is not None and meaning is not None
    return {
        "name": name,
        "kind": shipped if meaning is None or meaning.kind is None else meaning.kind,
        "use": meaning is None or meaning.use,
        "shipped": {"kind": shipped},
        "own": own,
        "version": said.version if said is not None else 0,
        "set_at": said.set_at if said is not None else None,
        "set_by": said.set_by if said is not None else None,
    }
