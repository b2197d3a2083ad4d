"""Who is whom by somebody's word: merges, undos, and what facts could not link."""

from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import instant, micros
from jornada.web import Gate, Limit, Problem, cursor_of, documents, position_of
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api.customers import AMBIGUOUS, clean, customer_named, unknown
from services.journey.domain.identity import Named, Refusal, Why
from services.journey.store import identifiers, merges, refusals
from services.journey.store.merges import Said

_WHY = {
    Why.SHARED_DEVICE: "Several customers use the device; it is nobody's, and each has what they did on it.",
    Why.KIOSK: "Over 50 user ids or e-mails, or 1,000 devices that state it, are tied to it: it tells nothing.",
    Why.AMBIGUOUS_EMAIL: "The e-mail would make one customer of several user ids.",
    Why.TOO_MANY_EMAILS: "A customer has at most 5 e-mails; earlier ones hold.",
    Why.TOO_MANY_ANONYMOUS_IDS: "A customer has at most 1,000 anonymous ids; earlier ones hold.",
}
_ONE = (409, "already_one", "They are one customer already.")
_UNDONE = (409, "already_undone", "It was undone before.")


class Into(BaseModel):
    """With whom: an id, or an identifier as `type:value`, not percent-encoded."""

    into: str = Field(max_length=300, examples=["user_id:42"])


class Merging(Protocol):
    """Has customers be one, or no longer, in a transaction of its own."""

    async def merge(self, workspace: WorkspaceId, customer: SubjectId, into: SubjectId, by: UUID) -> Said | None:
        """None where they are one already."""

    async def undo(self, workspace: WorkspaceId, said: Said, by: UUID) -> bool:
        """False where it was undone before."""


def serve(app: FastAPI, gate: Gate, database: Database, merging: Merging) -> None:
    """Adds the routes."""

    @app.post("/v1/customers/{ref}/merge", tags=["identity"], responses=documents.refusals(_ONE))
    async def merged(ref: str, given: Into, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Has two customers be one, from the start and until it is undone; both ids answer.

        The customer keeps the id that was stored first. 409 `already_one`, or `ambiguous` for an e-mail of several.
        """
        async with database.transaction([principal.workspace]) as connection:
            customer = await customer_named(connection, principal.workspace, ref)
            into = await customer_named(connection, principal.workspace, quote(given.into, safe=""))
        said = await merging.merge(principal.workspace, customer, into, principal.token_id)
        if said is None:
            raise Problem(*_ONE)
        async with database.transaction([principal.workspace]) as connection:
            return answer(await _told(connection, principal.workspace, said))

    @app.post("/v1/merges/{id}/undo", tags=["identity"], responses=documents.refusals(_UNDONE))
    async def undone(id: str, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Cancels a merge or an alias, by its percent-encoded id in the list of merges.

        The customers part, unless something else that was said makes them one.
        """
        async with database.transaction([principal.workspace]) as connection:
            said = await merges.one(connection, principal.workspace, clean(unquote(id)))
        if said is None:
            raise unknown("merge")
        if not await merging.undo(principal.workspace, said, principal.token_id):
            raise Problem(*_UNDONE)
        async with database.transaction([principal.workspace]) as connection:
            now = await merges.one(connection, principal.workspace, said.id)
            return answer(await _told(connection, principal.workspace, now or said))

    @app.get("/v1/customers/{ref}/merges", tags=["identity"], responses=documents.refusals(AMBIGUOUS))
    async def listed(
        ref: str,
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> Response:
        """What operators (`merge`) and apps (`alias`) said to be one with a customer, undone or not; newest first.

        `by` and `undone_by` are API tokens' ids.
        """
        before = _before(cursor)
        async with database.transaction([principal.workspace]) as connection:
            id_ = await customer_named(connection, principal.workspace, ref)
            members = (await identifiers.members(connection, principal.workspace, [id_])).get(id_, [])
            named = [Named(each.type, each.value) for _, each in members]
            found = await merges.of(connection, principal.workspace, named, limit + 1, before)
            items = [await _told(connection, principal.workspace, said) for said in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return answer(page(items, None if last is None else cursor_of(micros(last.at), last.id)))

    @app.get("/v1/identity/refusals", tags=["identity"])
    async def refused(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Facts that link nothing now, each with why and since when it was stated, by identifier."""
        after = _after(cursor)
        async with database.transaction([principal.workspace]) as connection:
            found = await refusals.listed(connection, principal.workspace, limit + 1, after)
        following = cursor_of(*refusals.place(found[limit - 1])) if len(found) > limit else None
        return answer(page([_refusal(each) for each in found[:limit]], following))


async def _told(connection: Connection, workspace: WorkspaceId, said: Said) -> dict[str, Any]:
    """One of the list, with whose each side is now."""
    known = await identifiers.read(connection, workspace, {said.from_, said.into})
    customers = [stored.placement.customer if (stored := known.get(each)) else None for each in (said.from_, said.into)]
    return {
        "id": said.id,
        "kind": "alias" if said.is_alias else "merge",
        "from": {**said.from_._asdict(), "customer_id": customers[0]},
        "into": {**said.into._asdict(), "customer_id": customers[1]},
        "at": said.at,
        "by": said.by,
        "undone_at": said.undone_at,
        "undone_by": said.undone_by,
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    us, message_id, source = refusal.at
    return {
        "identifier": refusal.named._asdict(),
        "to": None if refusal.to is None else refusal.to._asdict(),
        "code": refusal.why,
        "message": _WHY[refusal.why],
        "occurred_at": instant(us),
        "message_id": message_id,
        "source": source,
    }


def _before(cursor: str | None) -> tuple[datetime, str] | None:
    match position_of(cursor) if cursor else None:
        case None:
            return None
        case [int(us), str(id_)] if abs(us) < 1 << 56:
            return instant(us), clean(id_)
    raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")


def _after(cursor: str | None) -> refusals.Place | None:
    match position_of(cursor) if cursor else None:
        case None:
            return None
        case [str(type_), str(value), str(to_type), str(to_value)]:
            return clean(type_), clean(value), clean(to_type), clean(to_value)
    raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")
