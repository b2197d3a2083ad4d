"""Verdicts as they come: to their own workspace, as far as the token may see, and no longer than it lets in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from jornada.access import keyring
from jornada.events import new_id
from services.ingest.api import live as face
from services.ingest.live import Live, Shown
from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import NOW, WORKSPACE, batch, event


class Stream:
    """An open stream: its events, and its comments."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.comments = 0

    async def next(self) -> tuple[str, dict[str, Any]] | None:
        """The next event's name and document; None at the end."""
        name = ""
        async for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            elif line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
        return None

    async def verdicts(self, count: int) -> list[dict[str, Any]]:
        """The next `count` verdicts."""
        found = [await self.next() for _ in range(count)]
        assert {each and each[0] for each in found} == {"verdict"}
        return [each[1] for each in found if each is not None]


@asynccontextmanager
async def watching(http: httpx.AsyncClient, token: str, **query: str) -> AsyncIterator[Stream]:
    headers = {"authorization": f"Bearer {token}"}
    async with asyncio.timeout(20), http.stream("GET", "/v1/live", params=query, headers=headers) as answer:
        assert answer.status_code == 200
        stream = Stream(answer.aiter_lines())
        assert await stream.next() == ("hello", {})
        yield stream


async def send(http: httpx.AsyncClient, tenant: Tenant, *events: dict[str, Any]) -> None:
    answer = await http.post("/v1/batch", content=batch(*events), headers={"x-write-key": tenant.write_key})
    assert answer.status_code == 200


async def test_accepted_duplicate_and_refused_are_shown_with_why(http: httpx.AsyncClient, tenant: Tenant) -> None:
    async with watching(http, tenant.token) as stream:
        await send(http, tenant, event(), event(), event(event="Other"), event(messageId="bad", userId="null"))
        shown = await stream.verdicts(4)
    assert [(each["status"], each.get("code")) for each in shown] == [
        ("accepted", None),
        ("duplicate", None),
        ("duplicate", "payload_differs"),
        ("rejected", "id_illegal"),
    ]
    assert {(each["source"], each["type"]) for each in shown} == {("app", "track")}
    assert shown[3]["message"] and shown[3]["received_at"]


async def test_the_person_is_shown_only_with_the_scope_payloads(http: httpx.AsyncClient, tenant: Tenant) -> None:
    async with watching(http, tenant.token) as whole, watching(http, tenant.reader) as plain:
        await send(http, tenant, event(userId="ana", anonymousId="phone"))
        [seen], [hidden] = await whole.verdicts(1), await plain.verdicts(1)
    assert (seen["user_id"], seen["anonymous_id"]) == ("ana", "phone")
    assert {"ana", "phone"}.isdisjoint(map(str, hidden.values()))


async def test_another_workspaces_verdicts_are_never_shown(
    http: httpx.AsyncClient, tenant: Tenant, running: Running
) -> None:
    other = await running.access.create_workspace(f"l{new_id().hex}")
    await running.access.create_source(other.id, "app", "product")
    key = await running.access.create_key(other.id, "app")
    token = await running.access.create_token(other.id, "all", ["read", "payloads"])
    stranger = Tenant(other.id, key.secret, token.secret, "")
    async with watching(http, tenant.token) as stream, watching(http, stranger.token) as theirs:
        await send(http, stranger, event(messageId="theirs"), event(messageId="theirs too", userId="null"))
        await send(http, tenant, event(messageId="ours"))
        assert [each["message_id"] for each in await stream.verdicts(1)] == ["ours"]
        assert [each["message_id"] for each in await theirs.verdicts(2)] == ["theirs", "theirs too"]


async def test_a_stream_shows_one_source_or_only_what_was_refused_if_asked(
    http: httpx.AsyncClient, tenant: Tenant, running: Running
) -> None:
    await running.access.create_source(tenant.workspace, "web", "product")
    key = await running.access.create_key(tenant.workspace, "web")
    web = Tenant(tenant.workspace, key.secret, "", "")
    async with (
        watching(http, tenant.token, source="web") as of_web,
        watching(http, tenant.token, status="rejected") as refused,
    ):
        await send(http, tenant, event(messageId="a"), event(messageId="b", userId="null"))
        await send(http, web, event(messageId="c"), event(messageId="d", userId="null"))
        assert [each["message_id"] for each in await of_web.verdicts(2)] == ["c", "d"]
        assert [each["message_id"] for each in await refused.verdicts(2)] == ["b", "d"]


async def test_a_slow_reader_is_told_how_much_it_missed() -> None:
    live = Live()
    events = face._events(live.watch(WORKSPACE), _always, with_person=True)
    assert (await anext(events)).event == "hello"
    verdict = Shown(received_at=NOW, source="app", message_id="m", status="accepted")
    live.show(WORKSPACE, [verdict] * 1_007)
    told = [await anext(events) for _ in range(1_001)]
    assert [each.event for each in told[:3]] == ["verdict", "dropped", "verdict"]
    assert told[1].data == '{"count": 7}'
    assert [each.event for each in told].count("dropped") == 1
    await events.aclose()  # type: ignore[attr-defined]
    assert not live.watched(WORKSPACE)


async def _always() -> bool:
    return True


async def test_a_quiet_stream_is_kept_alive(
    http: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face, "PING_SECONDS", 1)
    async with watching(http, tenant.token) as stream:
        waiting = asyncio.create_task(stream.next())
        await asyncio.sleep(2.5)
        assert stream.comments >= 2
        waiting.cancel()


async def test_a_stream_ends_soon_after_its_token_is_revoked(
    http: httpx.AsyncClient, tenant: Tenant, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "FRESH", 1.0)
    monkeypatch.setattr(face, "CHECK_SECONDS", 0.2)
    token = await running.access.create_token(tenant.workspace, "short", ["read"])
    async with watching(http, token.secret) as stream, watching(http, tenant.token) as other:
        await running.access.revoke_token(tenant.workspace, token.token.id)
        assert await stream.next() is None
        await send(http, tenant, event(messageId="after"))
        assert len(await other.verdicts(1)) == 1


async def test_no_more_may_watch_than_can_be_served(
    http: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.live._WATCHERS_MAX", 1)
    async with watching(http, tenant.token):
        refused = await http.get("/v1/live", headers=tenant.bearer())
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert refused.headers["retry-after"]


async def test_streams_end_when_the_service_begins_to_stop(
    http: httpx.AsyncClient, tenant: Tenant, running: Running
) -> None:
    async with watching(http, tenant.token) as stream:
        running.service.health.draining = True
        try:
            assert await asyncio.wait_for(stream.next(), 3) is None
        finally:
            running.service.health.draining = False
