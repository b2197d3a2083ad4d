"""Campaigns: what they say, to whom, and whether they run."""

from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate, Problem
from jornada.web.app import answer
from jornada.web.pages import page
from services.notify.campaigns import shipped
from services.notify.domain import templates
from services.notify.domain.campaigns import Campaign, InvalidCampaign, Name, Status, Text, campaign_of
from services.notify.store import campaigns
from services.notify.store.campaigns import Stored

_ACTIONS: dict[str, Status] = {"start": "running", "pause": "paused", "stop": "stopped"}


class PreviewGiven(BaseModel):
    """A template to look at; without `data`, a made-up customer stands in."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=500, examples=["How is {{ customer.name }}?"])
    text: str = Field(min_length=1, max_length=20_000, examples=["We have not seen you for a while."])
    html: str | None = Field(None, max_length=100_000)
    data: dict[str, Any] | None = None


_CAMPAIGN = {
    "schema": {"type": "object"},
    "example": {"language": "en", "messages": {"en": {"subject": "Can we help?", "text": "We have not seen you."}}},
}


def serve(app: FastAPI, gate: Gate, *, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/campaigns", tags=["campaigns"])
    async def listed(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """Every campaign, those that ship included; none runs until it is started."""
        async with database.transaction([principal.workspace]) as connection:
            found = await campaigns.every(connection, principal.workspace, shipped())
        return answer(page([_document(each) for each in found], None))

    @app.get("/v1/campaigns/{name}", tags=["campaigns"])
    async def one(name: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One campaign."""
        async with database.transaction([principal.workspace]) as connection:
            stored = await campaigns.one(connection, principal.workspace, name, shipped())
        return answer(_document(_found(stored)))

    @app.put(
        "/v1/campaigns/{name}",
        tags=["campaigns"],
        openapi_extra={"requestBody": {"content": {"application/json": _CAMPAIGN}}},
    )
    async def put(
        name: str, request: Request, dry_run: bool = False, principal: Principal = Depends(gate.needs("write"))
    ) -> Response:
        """Keeps a campaign, a draft if it is new; with `dry_run` only says what would change."""
        given = _read(_name(name), await request.body())
        async with database.transaction([principal.workspace]) as connection:
            old = await campaigns.one(connection, principal.workspace, name, shipped())
            document = given if given is not None else _found(old).document
            status: Status = old.status if old is not None else "draft"
            new = Stored(name, document, status, clock.now(), None)
            if dry_run:
                was = None if old is None else _plain(old.campaign)
                return answer({"changes": was != _plain(new.campaign), "from": was, "to": _plain(new.campaign)})
            await campaigns.save(connection, principal.workspace, new, clock.now())
            kept = await campaigns.one(connection, principal.workspace, name, shipped())
        return answer(_document(_found(kept)))

    _serve_moves(app, gate, database, clock)

    @app.post("/v1/templates/preview", tags=["campaigns"])
    async def previewed(given: PreviewGiven, _principal: Principal = Depends(gate.needs("read"))) -> Response:
        """Renders a template, refusing variables that are not there."""
        template = Text(subject=given.subject, text=given.text, html=given.html)
        try:
            rendered = templates.render(template, given.data or templates.sample(), strict=True)
        except templates.TemplateFailed as error:
            raise Problem(400, "template_failed", str(error)[:500]) from error
        return answer(rendered._asdict())


def _serve_moves(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    @app.post("/v1/campaigns/{name}/start", tags=["campaigns"])
    async def started(name: str, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Lets it take customers in, from now on."""
        return await moved(name, "start", principal)

    @app.post("/v1/campaigns/{name}/pause", tags=["campaigns"])
    async def paused(name: str, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Takes nobody in and sends nothing until it is started again."""
        return await moved(name, "pause", principal)

    @app.post("/v1/campaigns/{name}/stop", tags=["campaigns"])
    async def stopped(name: str, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Ends it; what is not sent yet is not sent."""
        return await moved(name, "stop", principal)

    async def moved(name: str, action: str, principal: Principal) -> Response:
        now = clock.now()
        async with database.transaction([principal.workspace]) as connection:
            stored = _found(await campaigns.one(connection, principal.workspace, name, shipped()))
            started_at = now if action == "start" else stored.started_at
            new = stored._replace(status=_ACTIONS[action], changed_at=now, started_at=started_at)
            await campaigns.save(connection, principal.workspace, new, now)
        return answer(_document(new))


def _read(name: str, body: bytes) -> bytes | None:
    """The document, checked; None for an empty body where a campaign of that name ships."""
    if not body.strip() and name in shipped():
        return None
    try:
        campaign = campaign_of(body)
        for text in campaign.messages.values():
            templates.check(text)
    except InvalidCampaign as error:
        raise Problem(400, "invalid", str(error)[:500]) from error
    except templates.TemplateFailed as error:
        raise Problem(400, "template_failed", str(error)[:500]) from error
    return body


def _name(name: str) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError:
        raise Problem(
            400, "invalid", "A campaign's name is made of a-z, 0-9, _ and -, at most 63 characters."
        ) from None


def _found(stored: Stored | None) -> Stored:
    if stored is None:
        raise Problem(404, "not_found", "No such campaign.")
    return stored


def _plain(campaign: Campaign) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(campaign)
    return plain


def _document(stored: Stored) -> dict[str, Any]:
    return {
        "name": stored.name,
        "status": stored.status,
        "changed_at": stored.changed_at,
        "started_at": stored.started_at,
        **_plain(stored.campaign),
    }
