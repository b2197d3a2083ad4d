"""Write keys: what lets a source send. A secret is shown once; a revoked key is refused everywhere within 60 s."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from jornada.access.grants import IssuedKey, Principal, WriteKey
from jornada.access.store import PostgresAccess, Refused
from jornada.web import Gate, Limit, cursor_of, id_after
from jornada.web.app import answer
from jornada.web.documents import example
from jornada.web.pages import page
from services.ingest.api import examples
from services.ingest.api.sources import checked_name, problem_of


class NewKey(BaseModel):
    """A write key to be drawn for a source."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str


def serve_keys(app: FastAPI, gate: Gate, access: PostgresAccess) -> None:
    """Adds the routes. A key of another workspace is as unknown as one that never was."""

    @app.get("/v1/keys", tags=["keys"], responses=example(examples.page_of(examples.REVOKED)))
    async def listed(
        principal: Principal = Depends(gate.needs("read")),
        source: str | None = None,
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> Response:
        """The workspace's write keys, or one source's, oldest first; the revoked ones too, without their secrets."""
        of = None if source is None else checked_name(source)
        found = await access.keys(principal.workspace, of, after=id_after(cursor), limit=limit + 1)
        following = cursor_of(str(found[limit - 1].id)) if len(found) > limit else None
        return answer(page([_document(key) for key in found[:limit]], following))

    @app.post("/v1/keys", tags=["keys"], status_code=201, responses=example(examples.ISSUED, 201))
    async def created(
        new: Annotated[NewKey, Body(examples=[{"source": "billing"}])],
        principal: Principal = Depends(gate.needs("admin")),
    ) -> Response:
        """Draws a write key for a source; `write_key` is its secret, shown this once."""
        try:
            return _issued(await access.create_key(principal.workspace, checked_name(new.source)))
        except Refused as refused:
            raise problem_of(refused) from refused

    @app.post("/v1/keys/{id}/rotate", tags=["keys"], status_code=201, responses=example(examples.ISSUED, 201))
    async def rotated(id: UUID, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Draws a second key for the same source; both let in until the old one is revoked."""
        try:
            return _issued(await access.rotate_key(principal.workspace, id))
        except Refused as refused:
            raise problem_of(refused) from refused

    @app.post("/v1/keys/{id}/revoke", tags=["keys"], responses=example(examples.REVOKED))
    async def revoked(id: UUID, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Refuses a key for good, everywhere within 60 s; again changes nothing."""
        try:
            return answer(_document(await access.revoke_key(principal.workspace, id)))
        except Refused as refused:
            raise problem_of(refused) from refused


def _document(key: WriteKey) -> dict[str, object]:
    return {
        "id": key.id,
        "source": key.source,
        "hint": key.hint,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _issued(issued: IssuedKey) -> Response:
    return answer(_document(issued.key) | {"write_key": issued.secret}, 201)
