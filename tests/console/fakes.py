"""Sister services that answer what a test puts into them, in the shapes of their faces."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from jornada.events import derived_id
from services.console.sisters import NAMES, Name, Sisters

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
TOKEN = "jt_good"
Document = dict[str, Any]


class FakeSisters:
    """Answers by (service, path); 404 for what was not put in, 401 for another token, 503 if `away`."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Any] = {}
        self.away: set[str] = set()
        self.revoked = False
        self.asked: list[httpx.Request] = []
        self.posts: Callable[[Name, httpx.Request], httpx.Response] | None = None

    def put(self, service: Name, path: str, document: Any) -> None:
        """Gives a path its answer."""
        self.documents[service, path] = document

    def client(self) -> Sisters:
        """Clients that reach these sisters."""
        return Sisters({name: f"http://{name}" for name in NAMES}, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        service: Name = request.url.host  # type: ignore[assignment]
        if service in self.away:
            return httpx.Response(503, json={"code": "unavailable", "message": "away"})
        authorization = request.headers.get("authorization", "")
        if self.revoked or (authorization != f"Bearer {TOKEN}" and not authorization.startswith("Bearer wk_")):
            return httpx.Response(401, json={"code": "unauthorized", "message": "no"})
        if request.method != "GET" and self.posts is not None:
            return self.posts(service, request)
        path = request.url.raw_path.decode().partition("?")[0]
        if (service, path) not in self.documents:
            return httpx.Response(404, json={"code": "not_found", "message": "nobody"})
        document = self.documents[service, path]
        if isinstance(document, bytes):
            return httpx.Response(200, content=document, headers={"content-type": "text/event-stream"})
        if path == "/v1/alerts" and "subject" in request.url.params and isinstance(document, dict):
            about = request.url.params["subject"]
            return httpx.Response(200, json={"items": [each for each in document["items"] if about in str(each)]})
        return httpx.Response(200, json=document)


def stamp(**ago: float) -> str:
    """An instant some time before NOW, as faces write it."""
    return (NOW - timedelta(**ago)).isoformat(timespec="microseconds")


def reason(en: str, pt: str = "") -> Document:
    return {"code": "made_up", "values": {}, "text": {"en": en, "pt-BR": pt or f"pt {en}"}}


def scores_of(score: float | None, band: str, **more: Any) -> Document:
    """Scoring's document of one subject."""
    value = (score or 0) / 100
    components = [
        {
            "name": "adoption",
            "points": 65 * value,
            "weight": 0.65,
            "value": value,
            "because": reason("no activity for 16 days", "sem uso há 16 dias"),
        },
        {
            "name": "support",
            "points": 12.0,
            "weight": 0.2,
            "value": 0.6,
            "because": reason("1 open ticket, for less than a day, worst severity 1"),
        },
        {
            "name": "commercial",
            "points": 10.5,
            "weight": 0.15,
            "value": 0.7,
            "because": reason("payment failed, not recovered"),
        },
    ]
    health: Document = {"score": score, "band": band, "coverage": 1.0, "components": components, "vetoes": []}
    health["trend"] = {"days": 30, "change": -41.2}
    health["fix"] = {"because": reason("resolve the open tickets: up to 8 points back", "resolver os chamados")}
    if band == "yellow":
        health["crosses"] = {"band": "red", "at": stamp(days=-4)}
    risk = {
        "probability": 0.38,
        "low": 0.2,
        "high": 0.61,
        "band": band,
        "horizon_days": 30,
        "model": "health@1",
        "factors": [
            {"name": "adoption", "contribution": 1.7, "because": reason("no activity for 16 days")},
            {"name": "support", "contribution": 0.5, "because": reason("1 open ticket")},
            {"name": "commercial", "contribution": -0.2, "because": reason("payments in order")},
        ],
    }
    upsell = {
        "probability": 0.05,
        "model": "rules@1",
        "factors": [],
        "gated_because": reason("health is red: not the time to offer more"),
    }
    return {
        "as_of": stamp(),
        "journey_version": 3,
        "health": health,
        "churn_risk": risk,
        "upsell_propensity": upsell,
        "since_last": {
            "at": stamp(days=16),
            "score": 70.0,
            "change": -12.4,
            "event": -2.0,
            "time": -10.4,
            "config": 0,
            "components": [
                {"name": "adoption", "event": 3.0, "time": -10.4},
                {"name": "support", "event": -5.0, "time": 0.0},
            ],
        },
        **more,
    }


def person(key: str, name: str, account: str | None = None, stage: str = "active", **traits: Any) -> Document:
    """Journey's document of a customer."""
    return {
        "as_of": stamp(),
        "customer_id": str(id_of(key)),
        "version": 7,
        "identifiers": [{"type": "email", "value": f"{key}@example.com"}, {"type": "user_id", "value": key}],
        "account_id": str(id_of(account)) if account else None,
        "traits": {"name": name, "email": f"{key}@example.com", "locale": "pt-BR", **traits},
        "stage": {
            "name": stage,
            "entered_at": stamp(days=20),
            "because": {
                "code": "silence",
                "message_id": "m-1",
                "text": {"en": "Silent for longer than usual", "pt-BR": "Em silêncio"},
            },
        },
        "stages": [
            {
                "name": "onboarding",
                "entered_at": stamp(days=200),
                "left_at": stamp(days=190),
                "because": {"code": "signed_up", "text": {"en": "Signed up", "pt-BR": "Fez o cadastro"}},
            },
            {
                "name": stage,
                "entered_at": stamp(days=20),
                "left_at": None,
                "because": {
                    "code": "silence",
                    "message_id": "m-1",
                    "text": {"en": "Silent for longer than usual", "pt-BR": "Em silêncio"},
                },
            },
        ],
        "first_seen_at": stamp(days=210),
        "last_seen_at": stamp(minutes=4),
        "touchpoints": 91,
        "sessions": 60,
        "measures": {
            "use": {"value_days": 60, "last_value_at": stamp(days=16), "own_gap_days": 3},
            "billing": {"mrr": {"amount": "640.00", "currency": "BRL"}, "plan": "Team"},
            "consents": {"email/marketing": "granted"},
            "milestones": [{"name": "trained", "reached_at": stamp(days=90)}],
        },
    }


def account_of(key: str, name: str) -> Document:
    """Journey's document of an account."""
    document = person(key, name)
    del document["customer_id"]
    return {
        **document,
        "account_id": str(id_of(key)),
        "identifiers": [{"type": "account", "value": key}],
        "traits": {"name": name},
    }


def id_of(key: str) -> UUID:
    return derived_id("fake", key)


def touchpoint(event: str, number: int, session: str = "s1", **more: Any) -> Document:
    return {
        "message_id": f"m-{number}",
        "event": event,
        "kind": "custom",
        "channel": "web",
        "occurred_at": stamp(days=number // 3, minutes=number),
        "received_at": stamp(days=number // 3, minutes=number),
        "session_id": session,
        "source": "app",
        "ours": False,
        "properties": {"items": 3, "format": "pdf"},
        **more,
    }


def alert_of(key: str, **more: Any) -> Document:
    return {
        "id": str(derived_id("alert", key)),
        "at": stamp(minutes=3),
        "subject": {"type": "customer", "id": str(id_of(key)), "identifiers": [{"type": "user_id", "value": key}]},
        "score": "health",
        "from": "yellow",
        "to": "red",
        "value": 38.0,
        "because": [reason("no activity for 16 days", "sem uso há 16 dias")],
        "stale": False,
        **more,
    }


def peopled() -> FakeSisters:
    """A small workspace: two who leave, one who may, two who stay."""
    fakes = FakeSisters()
    cast = [
        ("bia", "Beatriz Lima", "aurora", 37.6, "red", "at_risk"),
        ("tom", "Tom Becker", "delta", 31.2, "red", "at_risk"),
        ("priya", "Priya Shah", "harbor", 61.0, "yellow", "active"),
        ("emma", "Emma Clarke", "northwind", 92.4, "green", "loyal"),
        ("new", "Visitor <b>x</b>", None, None, "unknown", "lead"),
    ]
    rows = []
    for key, name, account, score, band, stage in cast:
        fakes.put("journey", f"/v1/customers/user_id%3A{key}", person(key, name, account, stage))
        fakes.put("journey", f"/v1/customers/{id_of(key)}", person(key, name, account, stage))
        fakes.put(
            "scoring",
            f"/v1/customers/{id_of(key)}/scores",
            scores_of(score, band, red_since=stamp(days=3) if band == "red" else None),
        )
        fakes.put(
            "journey",
            f"/v1/customers/{id_of(key)}/touchpoints",
            {"items": [touchpoint("Report Exported", n, f"s{n // 3}") for n in range(12)], "next": "abc"},
        )
        fakes.put("notify", f"/v1/customers/{id_of(key)}/decisions", {"items": [], "next": None})
        fakes.put("notify", f"/v1/customers/{id_of(key)}/messages", {"items": [], "next": None})
        rows.append(
            {
                "subject": {
                    "type": "customer",
                    "id": str(id_of(key)),
                    "identifiers": [{"type": "user_id", "value": key}],
                },
                "mrr": {"amount": "640.00", "currency": "BRL"},
                "red_since": stamp(minutes=3) if band == "red" else None,
                "reasons": [
                    {"because": reason("no activity for 16 days", "sem uso há 16 dias")},
                    {"because": reason("payment failed, not recovered")},
                ],
                **scores_of(score, band),
            }
        )
    for key, name in (
        ("aurora", "Padaria Aurora"),
        ("delta", "Delta Foods"),
        ("harbor", "Harbor Labs"),
        ("northwind", "Northwind Traders"),
    ):
        for reference in (f"account%3A{key}", str(id_of(key))):
            fakes.put("journey", f"/v1/accounts/{reference}", account_of(key, name))
        fakes.put("scoring", f"/v1/accounts/{id_of(key)}/scores", scores_of(80, "green"))
    decision = {
        "campaign": "story-retention",
        "state": "sent",
        "outcome": "send",
        "reason": "eligible",
        "at": stamp(minutes=2),
        "channel": "email",
    }
    fakes.put("notify", f"/v1/customers/{id_of('bia')}/decisions", {"items": [decision], "next": None})
    refused = {**decision, "state": "suppressed", "outcome": "suppress", "reason": "no_consent"}
    fakes.put("notify", f"/v1/customers/{id_of('tom')}/decisions", {"items": [refused], "next": None})
    fakes.put(
        "notify",
        f"/v1/customers/{id_of('bia')}/messages",
        {
            "items": [{"subject": "Como podemos resolver isso?", "text": "Olá, Beatriz!", "status": "sent"}],
            "next": None,
        },
    )
    fakes.put("scoring", "/v1/scores", {"items": rows, "next": None})
    fakes.put(
        "scoring", "/v1/scores/distribution", {"total": 5, "bands": {"red": 2, "yellow": 1, "green": 1, "unknown": 1}}
    )
    fakes.put("journey", "/v1/stages/counts", {"customers": {"active": 12, "at_risk": 2}, "accounts": {"active": 4}})
    fakes.put("journey", "/v1/customers", {"items": [person("bia", "Beatriz Lima")], "next": None})
    fakes.put("notify", "/v1/alerts", {"items": [alert_of("bia"), alert_of("tom")], "next": None})
    return fakes
