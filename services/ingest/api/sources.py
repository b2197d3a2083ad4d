"""Sources: which apps send to a workspace, and the keys they send with."""

import re
from typing import Annotated

from fastapi import Body, Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from jornada.access.grants import Principal, Source, SourceRole
from jornada.access.store import PostgresAccess, Refused
from jornada.web import Gate, Problem
from jornada.web.app import answer
from jornada.web.documents import refusals

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_STATUS = {"source_unknown": 404, "source_taken": 409}


class NewSource(BaseModel):
    """A source to be made. The role says what its events may state and how old they may be to count as live."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    role: SourceRole = "product"


def serve_sources(app: FastAPI, gate: Gate, access: PostgresAccess) -> None:
    """Adds the routes."""

    @app.get("/v1/sources", tags=["sources"])
    async def listed(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """The workspace's sources, by name."""
        found = await access.sources(principal.workspace)
        return answer({"items": [_document(source) for source in found], "next": None})

    taken = (409, "source_taken", "There is a source of that name.")

    @app.post("/v1/sources", tags=["sources"], status_code=201, responses=refusals(taken))
    async def created(
        new: Annotated[NewSource, Body(examples=[{"name": "billing", "role": "billing"}])],
        principal: Principal = Depends(gate.needs("admin")),
    ) -> Response:
        """Makes a source; it sends with a key of its own."""
        _named(new.name)
        try:
            return answer(_document(await access.create_source(principal.workspace, new.name, new.role)), 201)
        except Refused as refused:
            raise _problem(refused) from refused

    @app.post("/v1/sources/{name}/keys", tags=["sources"], status_code=201)
    async def keyed(name: str, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Draws a write key for a source. It is shown this once."""
        _named(name)
        try:
            issued = await access.create_key(principal.workspace, name)
        except Refused as refused:
            raise _problem(refused) from refused
        key = issued.key
        document = {"id": key.id, "source": key.source, "write_key": issued.secret, "created_at": key.created_at}
        return answer(document, 201)

    @app.delete("/v1/sources/{name}", tags=["sources"])
    async def removed(name: str, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Marks a source as removed and revokes its keys, which are refused within 60 s."""
        _named(name)
        try:
            return answer(_document(await access.remove_source(principal.workspace, name)))
        except Refused as refused:
            raise _problem(refused) from refused


def _named(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Problem(400, "invalid_name", "A name has 1 to 63 of a–z, 0–9, `_` and `-`, and begins with no mark.")


def _document(source: Source) -> dict[str, object]:
    return {
        "name": source.name,
        "role": source.role,
        "created_at": source.created_at,
        "removed_at": source.removed_at,
    }


def _problem(refused: Refused) -> Problem:
    return Problem(_STATUS.get(refused.code, 400), refused.code, str(refused))
