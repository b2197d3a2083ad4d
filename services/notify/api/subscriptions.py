"""Alert subscriptions: who is told of which crossings, where."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import SubjectId, new_id
from jornada.web import Gate, Limit, Problem, cursor_of, id_after
from jornada.web.app import answer
from jornada.web.documents import refusals
from jornada.web.pages import page
from services.notify.dispatch.waking import Bell
from services.notify.domain.alerts import ALERT_TEST, When, trial_alert, webhook_body
from services.notify.sealing import Seal
from services.notify.senders.addresses import Allowed, Refused, target_of
from services.notify.senders.webhook import draw_secret
from services.notify.store import deliveries, subscriptions
from services.notify.store.subscriptions import Subscription, To

Name = Annotated[str, Field(min_length=1, max_length=200)]
Stage = Annotated[str, Field(min_length=1, max_length=100)]


class WhenGiven(BaseModel):
    """Which crossings; empty is every crossing into red."""

    model_config = ConfigDict(extra="forbid")

    score: Literal["health"] | None = None
    to: Literal["red"] | None = None
    subject: Literal["customer", "account"] | None = None
    stage: Annotated[list[Stage], Field(min_length=1, max_length=50)] | None = None


class ToGiven(BaseModel):
    """Where to: a signed webhook."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["webhook"] = "webhook"
    url: Annotated[str, Field(max_length=2_000, examples=["https://hooks.example.com/jornada"])]


class SubscriptionGiven(BaseModel):
    """A new alert subscription."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, Field(examples=["Customers at risk"])]
    to: ToGiven
    when: WhenGiven = WhenGiven()


class SubscriptionChange(BaseModel):
    """What to change; `disabled: false` switches one on again that was disabled."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name | None, Field(examples=["Accounts at risk"])] = None
    when: WhenGiven | None = None
    to: ToGiven | None = None
    disabled: bool | None = None


def serve(
    app: FastAPI, gate: Gate, *, database: Database, seal: Seal, allow: Allowed, bell: Bell, clock: Clock
) -> None:
    """Adds the routes."""

    @app.post("/v1/alert-subscriptions", tags=["alerts"], status_code=201)
    async def created(given: SubscriptionGiven, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Subscribes; the signing secret is answered this once."""
        subscription = Subscription(
            new_id(), given.name, _when(given.when), _to(given.to, allow), clock.now(), None, None, None
        )
        secret = draw_secret()
        async with database.transaction([principal.workspace]) as connection:
            await subscriptions.create(connection, principal.workspace, subscription, seal.close(secret))
        return answer({**_document(subscription), "secret": secret}, 201)

    @app.get("/v1/alert-subscriptions", tags=["alerts"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Every alert subscription."""
        async with database.transaction([principal.workspace]) as connection:
            found = await subscriptions.page(connection, principal.workspace, limit + 1, id_after(cursor))
        items = [_document(each) for each in found[:limit]]
        return answer(page(items, cursor_of(str(found[limit - 1].id)) if len(found) > limit else None))

    @app.get("/v1/alert-subscriptions/{id}", tags=["alerts"])
    async def one(id: UUID, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One alert subscription."""
        async with database.transaction([principal.workspace]) as connection:
            return answer(_document(await _found(connection, principal, id)))

    @app.patch("/v1/alert-subscriptions/{id}", tags=["alerts"])
    async def changed(
        id: UUID, change: SubscriptionChange, principal: Principal = Depends(gate.needs("write"))
    ) -> Response:
        """Changes one; what is on its way already goes to where it now points."""
        async with database.transaction([principal.workspace]) as connection:
            new = _changed(await _found(connection, principal, id), change, allow, clock)
            await subscriptions.change(connection, principal.workspace, new)
        return answer(_document(new))

    @app.delete("/v1/alert-subscriptions/{id}", tags=["alerts"], status_code=204)
    async def deleted(id: UUID, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Ends one; what was on its way to it is not sent any more."""
        async with database.transaction([principal.workspace]) as connection:
            if not await subscriptions.delete(connection, principal.workspace, id):
                raise _unknown()
        return Response(status_code=204)

    @app.post(
        "/v1/alert-subscriptions/{id}/test",
        tags=["alerts"],
        status_code=202,
        responses=refusals((409, "disabled", "It is disabled.")),
    )
    async def tried(id: UUID, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Sends a trial alert there; what came of it is in the deliveries."""
        now, trial = clock.now(), new_id()
        body = webhook_body(ALERT_TEST, trial_alert(trial, SubjectId(trial), now), now)
        async with database.transaction([principal.workspace]) as connection:
            if (await _found(connection, principal, id)).disabled_at is not None:
                raise Problem(409, "disabled", "The alert subscription is disabled; switch it on first.")
            await deliveries.create(connection, principal.workspace, [deliveries.New(trial, None, id, body)], now)
        bell.ring()
        return answer({"delivery": trial}, 202)

    @app.get("/v1/alert-subscriptions/{id}/deliveries", tags=["alerts"])
    async def log(
        id: UUID,
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> Response:
        """What was delivered there, and every attempt with its answer and timing."""
        async with database.transaction([principal.workspace]) as connection:
            await _found(connection, principal, id)
            found = await deliveries.page(connection, principal.workspace, id, limit + 1, id_after(cursor))
        next_ = cursor_of(str(found[limit - 1]["id"])) if len(found) > limit else None
        return answer(page(found[:limit], next_))


def _when(given: WhenGiven) -> When:
    return msgspec.convert(given.model_dump(exclude_none=True), When)


def _to(given: ToGiven, allow: Allowed) -> To:
    try:
        target_of(given.url, allow)
    except Refused as error:
        raise Problem(400, "refused_url", f"to.url: {error}.") from error
    return To(given.url)


def _changed(old: Subscription, change: SubscriptionChange, allow: Allowed, clock: Clock) -> Subscription:
    new = old._replace(
        name=change.name if change.name is not None else old.name,
        when=_when(change.when) if change.when is not None else old.when,
        to=_to(change.to, allow) if change.to is not None else old.to,
    )
    if change.disabled is True and old.disabled_at is None:
        return new._replace(disabled_at=clock.now(), disabled_because="asked")
    if change.disabled is False:
        return new._replace(disabled_at=None, disabled_because=None, failing_since=None)
    return new


async def _found(connection: Connection, principal: Principal, id_: UUID) -> Subscription:
    subscription = await subscriptions.one(connection, principal.workspace, id_)
    if subscription is None:
        raise _unknown()
    return subscription


def _unknown() -> Problem:
    return Problem(404, "not_found", "No such alert subscription.")


def _document(subscription: Subscription) -> dict[str, Any]:
    return subscription._asdict()
