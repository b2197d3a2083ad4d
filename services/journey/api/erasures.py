"""Erasing a customer, and what came of it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.db import Database
from jornada.events import ERASURES, SubjectId, WorkspaceId, gone_by
from jornada.pseudonyms import Pseudonyms
from jornada.web import Gate, Problem, documents, parse_reference
from jornada.web.app import answer
from services.journey.api.customers import AMBIGUOUS, TYPES, customer_of, unknown
from services.journey.store import erasures, traces
from services.journey.store.erasures import Erasure

SHOWING = frozenset({"scoring", "notify"})
"""The other services that show customers; the console asks them."""
PATIENCE_SECONDS = 8.0
_LOOK_SECONDS = 0.05

_KIOSK = (409, "kiosk", "The device is tied to so many that it is nobody's.")
_NOT_EVERYWHERE = (503, "not_everywhere", "It is erased here for good; another service has yet to follow. Ask again.")


class Asked(BaseModel):
    """Whom: an id, or an identifier as `type:value`, not percent-encoded. `block`: nobody begins anew under these."""

    ref: str = Field(max_length=300, examples=["user_id:42"])
    block: bool = False


class Erasing(Protocol):
    """Has customers be no more, in a transaction of its own."""

    async def erase(self, workspace: WorkspaceId, customer: SubjectId, *, block: bool, by: UUID) -> Erasure | None:
        """None where nobody is known by that id. Raises store.traces.Kiosk."""

    async def remind(self, workspace: WorkspaceId, erasure: Erasure, *, block: bool) -> None:
        """Asks the other services once more; with `block` nobody begins anew under these names."""


class _Receipt(NamedTuple):
    erasure: Erasure
    confirmed: Mapping[str, datetime]


def serve(app: FastAPI, gate: Gate, database: Database, erasing: Erasing, pseudonyms: Pseudonyms) -> None:
    """Adds the routes."""

    async def known(workspace: WorkspaceId, ref: str) -> tuple[SubjectId | None, Erasure | None]:
        """The customer whom a reference names now, else the erasure of whom it named."""
        reference = parse_reference(quote(ref, safe=""), TYPES)
        async with database.transaction([workspace]) as connection:
            customer = await customer_of(connection, workspace, reference)
            if customer is not None:
                return customer, None
            name = pseudonyms.of(workspace, reference.type, reference.value)
            return None, await erasures.of(connection, workspace, subject=reference.id, name=name)

    async def receipt(workspace: WorkspaceId, id_: UUID) -> _Receipt:
        async with database.transaction([workspace]) as connection:
            erasure = await erasures.one(connection, workspace, id_)
            if erasure is None:
                raise unknown("erasure")
            return _Receipt(erasure, await erasures.confirmed(connection, workspace, id_))

    async def asked_for(principal: Principal, given: Asked) -> Erasure:
        """The erasure of a customer, made now or before."""
        customer, before = await known(principal.workspace, given.ref)
        if customer is not None:
            try:
                made = await erasing.erase(principal.workspace, customer, block=given.block, by=principal.token_id)
            except traces.Kiosk as error:
                raise Problem(*_KIOSK) from error
            if made is not None:
                return made
            _, before = await known(principal.workspace, given.ref)
        if before is None:
            raise unknown("customer")
        if before.done_at is None or (given.block and not before.block):
            await erasing.remind(principal.workspace, before, block=given.block)
        return before

    @app.post(
        "/v1/erasures", status_code=202, tags=["erasures"], responses=documents.refusals(AMBIGUOUS, _NOT_EVERYWHERE)
    )
    async def erased(given: Asked, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Erases a customer, for good. From the 202 on every face answers 404 for all identifiers of theirs.

        The same again gives the same receipt. 503 `not_everywhere`: it stands, and another service that shows customers
        has not followed within 8 s; ask again, or follow the `erasure` that it names. 409 `kiosk`, or `ambiguous`.
        """
        erasure = await asked_for(principal, given)
        time = asyncio.get_running_loop().time
        until = time() + PATIENCE_SECONDS
        while not (told := await receipt(principal.workspace, erasure.id)).confirmed.keys() >= SHOWING:
            if time() > until:
                raise Problem(*_NOT_EVERYWHERE, retry_after=2, erasure=erasure.id)
            await asyncio.sleep(_LOOK_SECONDS)
        return answer(_document(told), 202)

    @app.get("/v1/erasures/{id}", tags=["erasures"])
    async def one(id: UUID, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """What came of an erasure: which services have removed what they held, and when the last topic forgets.

        `gone_by` is counted from `done_at`: while a service is behind, it may still tell what it knew, and the date is
        one at the earliest. `dropped` counts the events that came later and fell under it.
        """
        return answer(_document(await receipt(principal.workspace, id)))


def _document(receipt: _Receipt) -> dict[str, Any]:
    erasure, confirmed = receipt
    return {
        "id": erasure.id,
        "status": "pending" if erasure.done_at is None else "done",
        "erased_at": erasure.erased_at,
        "block": erasure.block,
        "services": {name: "done" if name in confirmed else "pending" for name in ERASURES.consumers},
        "done_at": erasure.done_at,
        "gone_by": gone_by(erasure.done_at or erasure.erased_at),
        "dropped": erasure.dropped,
    }
