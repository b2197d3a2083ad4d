"""The whole way: touchpoints become a journey and a score, the crossing an alert and a message, within two seconds."""

import asyncio
import email
import email.policy
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from jornada.access.store import PostgresAccess
from jornada.clock import SystemClock
from jornada.db import Database
from tests.flows.people import fading, identify, last_straws, track
from tests.flows.system import System

TWO_SECONDS = 2.0


class Receiver:
    """A webhook endpoint that keeps what it is sent."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes, float]] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.calls.append((headers, body, time.monotonic()))
        writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    server = await asyncio.start_server(kept.answer, "127.0.0.1", 0)
    kept.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield kept


async def until(condition: Any, seconds: float = 10) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            if found := await condition():
                return found
            await asyncio.sleep(0.02)


async def test_touchpoints_become_a_journey_with_a_stage_and_its_reason(system: System) -> None:
    await system.send(*fading("vera", name="Vera", locale="pt-BR"))
    await system.settled()
    journey = await system.ask("journey", "/v1/customers/user_id:vera")
    assert journey["touchpoints"] == 21
    assert journey["traits"]["name"] == "Vera"
    assert journey["stage"]["name"] == "at_risk"
    assert journey["stage"]["because"]
    assert [stage["name"] for stage in journey["stages"]][:2] == ["lead", "onboarding"]
    assert {"type": "user_id", "value": "vera"} in journey["identifiers"]
    page = await system.ask("journey", "/v1/customers/user_id:vera/touchpoints", limit=5)
    assert len(page["items"]) == 5 and page["next"]


async def test_a_score_says_why_and_when_the_next_band_falls(system: System) -> None:
    await system.send(*fading("hugo"))
    await system.settled()
    scores = await system.ask("scoring", "/v1/customers/user_id:hugo/scores")
    health = scores["health"]
    assert health["band"] == "yellow"
    assert health["crosses"]["band"] == "red"
    assert sum(component["points"] for component in health["components"]) == pytest.approx(health["score"], abs=1e-6)
    assert all(component["because"] for component in health["components"])
    assert 0 < scores["churn_risk"]["low"] < scores["churn_risk"]["probability"] < scores["churn_risk"]["high"] < 1


async def test_history_reaches_the_red_and_alerts_nobody(system: System) -> None:
    before = await system.ask("notify", "/v1/alerts")
    await system.send(
        *fading("iris"), *(track("iris", "Support Ticket Created", 5, ticket_id=f"t{n}", severity=1) for n in range(3))
    )
    await system.settled()
    assert (await system.ask("scoring", "/v1/customers/user_id:iris/scores"))["health"]["band"] == "red"
    assert await system.ask("notify", "/v1/alerts") == before


async def test_the_crossing_into_red_is_told_within_two_seconds_and_the_customer_written_to(system: System) -> None:
    async with receiver() as hook:
        subscription = await system.act(
            "POST",
            "notify",
            "/v1/alert-subscriptions",
            {"name": "growth", "when": {}, "to": {"type": "webhook", "url": hook.url}},
        )
        await system.act("POST", "notify", "/v1/campaigns/retention-check-in/start")
        await system.send(*fading("ana", firstName="Ana", locale="pt-BR"))
        await system.settled()
        streamed: list[tuple[str, dict[str, Any], float]] = []
        async with system.http.stream(
            "GET", f"{system.urls['notify']}/v1/alerts/stream", headers=system.bearer
        ) as stream:
            lines = stream.aiter_lines()
            listening = asyncio.create_task(follow(lines, streamed))
            await until(lambda: true_when(streamed))
            sent_at = time.monotonic()
            await system.send(*last_straws("ana"))
            await until(lambda: true_when(hook.calls and len(streamed) > 1))
            listening.cancel()
        headers, body, told_at = hook.calls[0]
        alert = Webhook(subscription["secret"]).verify(body, headers)["data"]
        assert told_at - sent_at < TWO_SECONDS
        assert streamed[1][2] - sent_at < TWO_SECONDS
        assert streamed[1][1] == alert
        assert (alert["from"], alert["to"], alert["stale"]) == ("yellow", "red", False)
        assert alert["subject"]["type"] == "customer"
        assert {"type": "user_id", "value": "ana"} in alert["subject"]["identifiers"]
        assert alert["because"]
        await mailed(system, "ana@example.com", "pt-BR")
        await system.act("DELETE", "notify", f"/v1/alert-subscriptions/{subscription['id']}")


async def follow(lines: AsyncIterator[str], kept: list[tuple[str, dict[str, Any], float]]) -> None:
    kind = ""
    async for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            kept.append((kind, json.loads(line[5:]), time.monotonic()))


async def true_when(value: object) -> bool:
    return bool(value)


async def mailed(system: System, address: str, language: str) -> None:
    """The mail is there, in the customer's language; its decision is kept; it stands on the path as ours."""

    async def found() -> Any:
        messages = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in system.mails()]
        return [message for message in messages if message["To"] and address in str(message["To"])]

    (message,) = await until(found)
    assert str(message["Content-Language"] or language).startswith(language)
    assert "Ana" in message.get_body(("plain",)).get_content()
    await system.settled()
    decisions = await system.ask("notify", "/v1/customers/user_id:ana/decisions")
    assert [decision["outcome"] for decision in decisions["items"]] == ["send"]
    path = await system.ask("journey", "/v1/customers/user_id:ana/touchpoints", limit=10)
    ours = [touchpoint for touchpoint in path["items"] if touchpoint["ours"]]
    assert [touchpoint["event"] for touchpoint in ours] == ["Message Sent"]
    before = await system.ask("journey", "/v1/customers/user_id:ana")
    assert before["touchpoints"] == 24


async def test_a_customer_without_consent_is_not_written_to_and_the_decision_says_why(system: System) -> None:
    await system.act("POST", "notify", "/v1/campaigns/retention-check-in/start")
    past = [event for event in fading("otto", firstName="Otto", locale="en") if event.get("event") != "Consent Updated"]
    mails = len(system.mails())
    await system.send(*past)
    await system.settled()
    await system.send(*last_straws("otto"))
    await system.settled()

    async def decided() -> Any:
        return (await system.ask("notify", "/v1/customers/user_id:otto/decisions"))["items"]

    (decision,) = await until(decided)
    assert decision["outcome"] == "suppress"
    assert "consent" in decision["reason"]
    assert len(system.mails()) == mails


async def test_a_device_seen_before_is_the_customers_from_the_start(system: System) -> None:
    page = {"type": "page", "anonymousId": "device-nina", "messageId": "nina-page", "timestamp": "2026-01-05T10:00:00Z"}
    await system.send(page)
    await system.settled()
    visitor = await system.ask("journey", "/v1/customers/anonymous_id:device-nina")
    assert visitor["stage"]["name"] == "visitor"
    await system.send({**identify("nina", name="Nina"), "anonymousId": "device-nina"})
    await system.settled()
    known = await system.ask("journey", "/v1/customers/user_id:nina")
    assert known["touchpoints"] == 2
    assert (await system.ask("journey", "/v1/customers/anonymous_id:device-nina"))["customer_id"] == known[
        "customer_id"
    ]
    assert (await system.ask("journey", f"/v1/customers/{visitor['customer_id']}"))["customer_id"] == known[
        "customer_id"
    ]


async def test_another_workspaces_token_sees_nothing(system: System) -> None:
    await system.send(track("secret", "Signed Up"))
    await system.settled()
    database = Database(system.database_url, "access", max_connections=1)
    access = PostgresAccess(database)
    other = await access.create_workspace(f"other-{SystemClock().now():%H%M%S%f}")
    token = await access.create_token(other.id, "other", ["read"])
    await database.stop()
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {token.secret}"}) as stranger:
        for service, path in (
            ("journey", "/v1/customers/user_id:secret"),
            ("journey", "/v1/customers/user_id:secret/touchpoints"),
            ("scoring", "/v1/customers/user_id:secret/scores"),
        ):
            assert (await stranger.get(f"{system.urls[service]}{path}")).status_code == 404
        for service, path in (("journey", "/v1/customers"), ("scoring", "/v1/scores"), ("notify", "/v1/alerts")):
            assert (await stranger.get(f"{system.urls[service]}{path}")).json()["items"] == []
