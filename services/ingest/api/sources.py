"""Sources: which apps send to a workspace."""

import re
from typing import Annotated

from fastapi import Body, Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from jornada.access.grants import Principal, Source, SourceRole
from jornada.access.store import PostgresAccess, Refused
from jornada.web import Gate, Limit, Problem, cursor_of, position_of
from jornada.web.app import answer
from jornada.web.documents import example, refusals
from jornada.web.pages import page
from services.ingest.api import examples

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_STATUS = {"source_unknown": 404, "key_unknown": 404, "source_taken": 409}


class NewSource(BaseModel):
    """A source to be made. The role says what its events may state and how old they may be to count as live."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    role: SourceRole = "product"


def serve_sources(app: FastAPI, gate: Gate, access: PostgresAccess) -> None:
    """Adds the routes."""

    @app.get("/v1/sources", tags=["sources"], responses=example(examples.page_of(examples.SOURCE)))
    async def listed(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """The workspace's sources, by name."""
        found = await access.sources(principal.workspace, after=_after(cursor), limit=limit + 1)
        following = cursor_of(found[limit - 1].name) if len(found) > limit else None
        return answer(page([_document(source) for source in found[:limit]], following))

    taken = (409, "source_taken", "There is a source of that name.")
    made = example(examples.SOURCE, 201) | refusals(taken)

    @app.post("/v1/sources", tags=["sources"], status_code=201, responses=made)
    async def created(
        new: Annotated[NewSource, Body(examples=[{"name": "billing", "role": "billing"}])],
        principal: Principal = Depends(gate.needs("admin")),
    ) -> Response:
        """Makes a source; it sends with a key of its own."""
        try:
            source = await access.create_source(principal.workspace, checked_name(new.name), new.role)
        except Refused as refused:
            raise problem_of(refused) from refused
        return answer(_document(source), 201)

    @app.delete("/v1/sources/{name}", tags=["sources"], responses=example(examples.SOURCE))
    async def removed(name: str, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Marks a source as removed and revokes its keys, which are refused within 60 s."""
        try:
            return answer(_document(await access.remove_source(principal.workspace, checked_name(name))))
        except Refused as refused:
            raise problem_of(refused) from refused


def checked_name(name: str) -> str:
    """The name, which a source may have; else a 400."""
    if not _NAME.fullmatch(name):
        raise Problem(400, "invalid_name", "A name has 1 to 63 of a–z, 0–9, `_` and `-`, and begins with no mark.")
    return name


def problem_of(refused: Refused) -> Problem:
    """The answer to what access refuses: 404, 409 or 400."""
    return Problem(_STATUS.get(refused.code, 400), refused.code, str(refused))


def _after(cursor: str | None) -> str:
    name = position_of(cursor)[0] if cursor else ""
    if cursor and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")
    return str(name)


def _document(source: Source) -> dict[str, object]:
    return {
        "name": source.name,
        "role": source.role,
        "created_at": source.created_at,
        "removed_at": source.removed_at,
    }
