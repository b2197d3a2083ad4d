"""Customers: one, its path, and lists."""

from urllib.parse import unquote
from uuid import UUID

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId
from jornada.web import Gate, Limit, Problem, Reference, cursor_of, id_after, parse_reference, position_of
from jornada.web import documents as web_documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api import documents
from services.journey.api.documents import AsOf
from services.journey.store import paths, portraits
from services.journey.store.paths import Path
from services.journey.store.portraits import Filter

TYPES = ("user_id", "anonymous_id", "email")

AMBIGUOUS = (409, "ambiguous", "Several customers state this e-mail; `customers` has their ids.")


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/customers", tags=["customers"])
    async def listed(
        *,
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
        stage: str | None = None,
        account: str | None = None,
        segment: str | None = None,
        persona: str | None = None,
        q: str | None = None,
        as_of: AsOf = None,
    ) -> Response:
        """Customers by id; `q` is a part of a name or identifier, `account` an account's id or reference.

        `segment` and `persona` name one, and list who is in it now.
        """
        documents.refuse_as_of(as_of)
        async with database.transaction([principal.workspace]) as connection:
            of = await account_named(connection, principal.workspace, account) if account is not None else None
            wanted = Filter("customer", stage, of, q, segment, persona)
            found = await portraits.listed(connection, principal.workspace, wanted, limit + 1, id_after(cursor))
        following = cursor_of(str(found[limit - 1].subject_id)) if len(found) > limit else None
        return answer(page([documents.item(each) for each in found[:limit]], following))

    @app.get("/v1/customers/{ref}", tags=["customers"], responses=web_documents.refusals(AMBIGUOUS))
    async def one(ref: str, principal: Principal = Depends(gate.needs("read")), as_of: AsOf = None) -> Response:
        """A customer's journey as of an instant: stage, measures, traits, owner, relationship types.

        `relationship_types` are the ways in which they are served, each `since` what says so (`source`) said so first.
        """
        at = documents.instant(as_of, clock.now())
        async with database.transaction([principal.workspace]) as connection:
            id_ = await customer_named(connection, principal.workspace, ref)
            found = await portraits.customer(connection, principal.workspace, id_, at, past=as_of is not None)
        if found is None:
            raise unknown("customer")
        return answer(documents.journey(found))

    @app.get("/v1/customers/{ref}/touchpoints", tags=["customers"], responses=web_documents.refusals(AMBIGUOUS))
    async def path(
        ref: str,
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
        kind: str | None = None,
        session: UUID | None = None,
        as_of: AsOf = None,
    ) -> Response:
        """A customer's path, newest first; a page of one `kind` may be short, and `next` leads on all the same."""
        until = documents.instant(as_of, clock.now()) if as_of is not None else None
        wanted = Path(limit, kind, session, _place(cursor), until)
        async with database.transaction([principal.workspace]) as connection:
            id_ = await customer_named(connection, principal.workspace, ref)
            found = await paths.page(connection, principal.workspace, id_, wanted)
        following = None if found.next is None else cursor_of(*found.next)
        return answer(page([documents.touchpoint(*each) for each in found.steps], following))

    several = (409, "ambiguous", "Several sources sent this message id, or several customers state this e-mail.")

    @app.get(
        "/v1/customers/{ref}/touchpoints/{message_id}", tags=["customers"], responses=web_documents.refusals(several)
    )
    async def touchpoint(
        ref: str, message_id: str, principal: Principal = Depends(gate.needs("read")), source: str | None = None
    ) -> Response:
        """One touchpoint of a customer, `body` being the event as it was accepted.

        `source` tells two of the same message id apart.
        """
        async with database.transaction([principal.workspace]) as connection:
            id_ = await customer_named(connection, principal.workspace, ref)
            found = await paths.one(connection, principal.workspace, id_, clean(unquote(message_id)), source)
        if not found:
            raise unknown("touchpoint")
        if len(found) > 1:
            raise Problem(409, "ambiguous", "Several sources sent this message id; name one with ?source=.")
        return answer(documents.whole(*found[0]))


async def customer_named(connection: Connection, workspace: WorkspaceId, ref: str) -> SubjectId:
    """The customer that a path segment names; 400, 404, or 409 for an e-mail of several."""
    id_ = await customer_of(connection, workspace, parse_reference(ref, TYPES))
    if id_ is None:
        raise unknown("customer")
    return id_


async def customer_of(connection: Connection, workspace: WorkspaceId, reference: Reference) -> SubjectId | None:
    """The customer of a reference, if there is one; 409 for an e-mail of several."""
    try:
        return await portraits.find(connection, workspace, reference)
    except portraits.Ambiguous as error:
        raise Problem(*AMBIGUOUS, customers=error.customers) from error


async def account_named(connection: Connection, workspace: WorkspaceId, ref: str) -> SubjectId:
    """The account that a path segment or a query names; 400 or 404."""
    id_ = await portraits.find(connection, workspace, parse_reference(ref, ("account",)))
    if id_ is None:
        raise unknown("account")
    return id_


def unknown(what: str) -> Problem:
    """404."""
    return Problem(404, "not_found", f"No such {what}.")


def _place(cursor: str | None) -> tuple[int, str, str] | None:
    if cursor is None:
        return None
    match position_of(cursor):
        case [int(us), str(message_id), str(source)] if abs(us) < 1 << 56:
            return us, clean(message_id), clean(source)
    raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")


def clean(text: str) -> str:
    """As Postgres takes it: without NUL, which no id has."""
    return text.replace("\x00", "")
