"""The pages of one customer and of one account."""

import asyncio
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from jornada.web import parse_reference
from services.console.api.board import silence
from services.console.api.pages import Pages
from services.console.api.viewers import Viewer, seen_by
from services.console.domain import people as listed
from services.console.domain import portrait
from services.console.domain.actions import Action, alerted, decided, newest_first
from services.console.domain.reading import Document, instant, items, mapping, mappings, segment, text
from services.console.domain.subjects import of_document
from services.console.sessions import Sessions
from services.console.sisters import Answer, Sisters, Told

_PATH = 40
_PEOPLE = 100


def serve(app: FastAPI, pages: Pages, sessions: Sessions, sisters: Sisters) -> None:
    """Adds the customer's and the account's page."""

    @app.get("/customers/{ref}", tags=["pages"])
    async def customer(
        request: Request, ref: str, cursor: str | None = None, viewer: Viewer = Depends(seen_by(sessions))
    ) -> Response:
        """One customer: stage, scores and why, what was done, the path."""
        parse_reference(ref)
        token = viewer.api_token
        journey = await sisters.get("journey", f"/v1/customers/{ref}", token)
        if not isinstance(journey, Told):
            return pages.render(
                request, "nobody.html", viewer, 404 if journey.kind == "missing" else 200, silent=journey
            )
        id_ = segment(text(mapping(journey.document).get("customer_id")))
        scores, path, alerts, decisions, messages = await asyncio.gather(
            sisters.get("scoring", f"/v1/customers/{id_}/scores", token, lang=viewer.language.name),
            sisters.get("journey", f"/v1/customers/{id_}/touchpoints", token, limit=_PATH, cursor=cursor),
            sisters.get("notify", "/v1/alerts", token, subject=id_, limit=50),
            sisters.get("notify", f"/v1/customers/{id_}/decisions", token, limit=50),
            sisters.get("notify", f"/v1/customers/{id_}/messages", token, limit=50),
        )
        account = await _account(sisters, token, mapping(journey.document))
        return pages.render(
            request,
            "subject.html",
            viewer,
            **_portrait(mapping(journey.document), scores, alerts),
            account=account,
            people=[],
            bands=[],
            actions=_actions(alerts, decisions),
            messages=[portrait.message(each) for each in items(messages.document)]
            if isinstance(messages, Told)
            else [],
            path=portrait.sittings(items(path.document)) if isinstance(path, Told) else [],
            older=text(mapping(path.document).get("next")) if isinstance(path, Told) else "",
            cursor=cursor,
            silent=[each for each in silence(scores, path, alerts, decisions, messages) if each.kind != "missing"],
        )

    @app.get("/accounts/{ref}", tags=["pages"])
    async def account(request: Request, ref: str, viewer: Viewer = Depends(seen_by(sessions))) -> Response:
        """One account: stage, scores and why, its people."""
        parse_reference(ref)
        token = viewer.api_token
        journey = await sisters.get("journey", f"/v1/accounts/{ref}", token)
        if not isinstance(journey, Told):
            return pages.render(
                request, "nobody.html", viewer, 404 if journey.kind == "missing" else 200, silent=journey
            )
        id_ = segment(text(mapping(journey.document).get("account_id")))
        scores, alerts, people, banded = await asyncio.gather(
            sisters.get("scoring", f"/v1/accounts/{id_}/scores", token, lang=viewer.language.name),
            sisters.get("notify", "/v1/alerts", token, subject=id_, limit=50),
            sisters.get("journey", "/v1/customers", token, account=id_, limit=_PEOPLE),
            sisters.get(
                "scoring", "/v1/scores", token, account=id_, sort="risk", limit=_PEOPLE, lang=viewer.language.name
            ),
        )
        return pages.render(
            request,
            "subject.html",
            viewer,
            **_portrait(mapping(journey.document), scores, alerts),
            account=None,
            people=listed.people(_document(banded), _document(people)),
            bands=listed.bands(mapping(_document(scores))),
            actions=_actions(alerts, None),
            messages=[],
            path=[],
            older="",
            cursor=None,
            silent=[each for each in silence(scores, alerts, people, banded) if each.kind != "missing"],
        )


def _document(answer: Answer) -> object:
    return answer.document if isinstance(answer, Told) else None


async def _account(sisters: Sisters, token: str, customer: Document) -> Any:
    id_ = text(customer.get("account_id"))
    if not id_:
        return None
    answer = await sisters.get("journey", f"/v1/accounts/{segment(id_)}", token)
    return of_document(mapping(answer.document)) if isinstance(answer, Told) else None


def _portrait(journey: Document, scores: Answer, alerts: Answer) -> dict[str, Any]:
    scored = mapping(scores.document) if isinstance(scores, Told) else {}
    return {
        "subject": of_document(journey),
        "journey": journey,
        "stage": portrait.stage(journey.get("stage")),
        "stages": [portrait.stage(each) for each in reversed(items(journey.get("stages")))],
        "scored": bool(scored),
        "health": portrait.health(scored),
        "since": portrait.since_last(scored),
        "red_since": instant(scored.get("red_since")),
        "risk": portrait.probability(scored.get("churn_risk")),
        "upsell": portrait.probability(scored.get("upsell_propensity")),
        "identifiers": [
            {"type": text(each.get("type")), "value": text(each.get("value"))}
            for each in items(journey.get("identifiers"))
        ],
        "traits": portrait.facts_of(mapping(journey.get("traits"))),
        "measures": measures(mapping(journey.get("measures"))),
    }


def measures(document: Document, prefix: str = "") -> list[tuple[str, str]]:
    """The measures as plain lines, `support.tickets: 3`."""
    lines: list[tuple[str, str]] = []
    for name, value in document.items():
        label = f"{prefix}{name}"
        if isinstance(value, dict) and {"amount", "currency"} == set(value):
            lines.append((label, f"{value['amount']} {value['currency']}"))
        elif isinstance(value, dict):
            lines += measures(value, f"{label}.")
        elif name == "milestones":
            lines += [(f"{label}.{text(each.get('name'))}", text(each.get("reached_at"))) for each in mappings(value)]
        else:
            lines += [(label, fact) for _, fact in portrait.facts_of({name: value})]
    return lines


def _actions(alerts: Answer, decisions: Answer | None) -> tuple[Action, ...]:
    told = [alerted(each) for each in items(alerts.document)] if isinstance(alerts, Told) else []
    chosen = [decided(each) for each in items(decisions.document)] if isinstance(decisions, Told) else []
    return newest_first([*told, *chosen])
