"""What was refused stays where its sender can see it: whole, in order, never another's, and for a bounded time."""

import asyncio
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx

from jornada.clock import SetClock
from jornada.db import Database
from jornada.events import Rejection, WorkspaceId, new_id
from services.ingest import store
from services.ingest.store import Rejections, Wanted
from services.ingest.worker import Retention
from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import NOW, Breakable, batch, event

WRITERS, BATCHES, SEED = 6, 12, 3


def refused(workspace: WorkspaceId, received_at: datetime = NOW, **fields: Any) -> Rejection:
    """A rejection, with overrides."""
    whole: dict[str, Any] = {"source": "app", "code": "id_illegal", "message": "no", "payload": "{}"}
    return Rejection(id=new_id(), workspace=workspace, received_at=received_at, **{**whole, **fields})


async def kept(database: Database, *rejections: Rejection, pause: float = 0.0) -> None:
    """Stores rejections in one transaction, which lasts a while longer if asked."""
    async with database.transaction({each.workspace for each in rejections}) as connection:
        await store.keep(connection, rejections)
        await asyncio.sleep(pause)


async def listed(database: Database, workspace: WorkspaceId) -> list[UUID]:
    found = await Rejections(database).page(workspace, Wanted(0, None, None, 1_000))
    return [each.rejection.id for each in found]


async def test_paging_neither_skips_nor_repeats_while_many_write(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    random = Random(SEED)
    stored: set[str] = set()
    writing = WRITERS

    async def write() -> None:
        nonlocal writing
        for _ in range(BATCHES):
            some = [refused(tenant.workspace) for _ in range(random.randint(1, 4))]
            stored.update(str(each.id) for each in some)
            await kept(running.database, *some, pause=random.random() * 0.03)
        writing -= 1

    writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
    seen: list[str] = []
    after = ""
    async with asyncio.timeout(60):
        while True:
            done = writing == 0
            query: dict[str, str | int] = {"limit": 40, "after": after}
            page = (await http.get("/v1/rejections", params=query, headers=tenant.bearer())).json()
            seen += [each["id"] for each in page["items"]]
            after = page["items"][-1]["cursor"] if page["items"] else after
            if done and not page["items"]:
                break
    await asyncio.gather(*writers)
    assert len(stored) > WRITERS * BATCHES
    assert len(seen) == len(set(seen))
    assert set(seen) == stored


async def test_the_list_is_asked_by_source_and_by_code(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    some = [
        refused(tenant.workspace, source=source, code=code)
        for source in ("app", "web")
        for code in ("id_illegal", "event_missing", "id_illegal")
    ]
    await kept(running.database, *some)

    async def found(**query: Any) -> list[str]:
        items: list[str] = []
        while True:
            page = (await http.get("/v1/rejections", params={"limit": 1, **query}, headers=tenant.bearer())).json()
            items += [each["id"] for each in page["items"]]
            if page["next"] is None:
                return items
            query["after"] = page["next"]

    def of(source: str | None, code: str | None) -> list[str]:
        return [str(each.id) for each in some if source in {None, each.source} and code in {None, each.code}]

    assert await found() == of(None, None)
    assert await found(source="web") == of("web", None)
    assert await found(code="event_missing") == of(None, "event_missing")
    assert await found(source="app", code="id_illegal") == of("app", "id_illegal")
    assert await found(source="none") == []


async def test_the_event_is_shown_only_with_the_scope_payloads(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    await kept(running.database, refused(tenant.workspace, payload='{"email": "ana@example.com"}'))
    whole = await http.get("/v1/rejections", headers=tenant.bearer())
    plain = await http.get("/v1/rejections", headers=tenant.bearer(tenant.reader))
    assert whole.json()["items"][0]["payload"] == '{"email": "ana@example.com"}'
    assert "ana@example.com" not in plain.text
    assert plain.json()["items"][0]["code"] == "id_illegal"


async def test_the_old_is_forgotten_after_its_days_and_nothing_else(running: Running, tenant: Tenant) -> None:
    clock = SetClock(NOW)
    retention = Retention(running.database, clock, days=30, kept=1_000)
    old = [refused(tenant.workspace, NOW - timedelta(days=30, seconds=1)) for _ in range(3)]
    young = [refused(tenant.workspace, NOW - timedelta(days=30) + timedelta(seconds=1)) for _ in range(2)]
    await kept(running.database, *old, *young)
    await retention.forget()
    assert await listed(running.database, tenant.workspace) == [each.id for each in young]
    clock.at += timedelta(seconds=1)
    await retention.forget()
    assert await listed(running.database, tenant.workspace) == [each.id for each in young]
    clock.at += timedelta(seconds=1)
    await retention.forget()
    assert await listed(running.database, tenant.workspace) == []


async def test_no_more_than_the_newest_are_kept_and_each_workspace_has_its_own(
    running: Running, tenant: Tenant
) -> None:
    other = await running.access.create_workspace(f"o{new_id().hex}")
    many = [refused(tenant.workspace) for _ in range(1_203)]
    few = [refused(other.id) for _ in range(4)]
    await kept(running.database, *many, *few)
    await Retention(running.database, SetClock(NOW), days=30, kept=5).forget()
    assert await listed(running.database, tenant.workspace) == [each.id for each in many[-5:]]
    assert await listed(running.database, other.id) == [each.id for each in few]


async def test_a_place_in_the_list_holds_though_what_was_before_it_is_forgotten(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    some = [refused(tenant.workspace) for _ in range(6)]
    await kept(running.database, *some)
    page = (await http.get("/v1/rejections?limit=2", headers=tenant.bearer())).json()
    await Retention(running.database, SetClock(NOW), days=30, kept=3).forget()
    rest = (await http.get("/v1/rejections", params={"after": page["next"]}, headers=tenant.bearer())).json()
    assert [each["id"] for each in rest["items"]] == [str(each.id) for each in some[3:]]


async def test_what_is_refused_while_postgres_is_away_is_told_at_once_and_seen_when_it_is_back(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    sender = {"x-write-key": tenant.write_key}
    assert (await http.post("/v1/batch", content=batch(event()), headers=sender)).status_code == 200
    assert (await http.get("/v1/rejections", headers=tenant.bearer())).json()["items"] == []
    database = running.database
    assert isinstance(database, Breakable)
    database.away = True
    try:
        body = batch(event(messageId="good"), event(messageId="bad", userId="null"))
        answer = await http.post("/v1/batch", content=body, headers=sender)
        assert answer.status_code == 200
        assert [each["status"] for each in answer.json()["results"]] == ["accepted", "rejected"]
        await asyncio.sleep(1.5)
        assert (await http.get("/v1/rejections", headers=tenant.bearer())).status_code == 503
        unknown = await http.post("/v1/batch", content=body, headers={"x-write-key": "wk_unknown"})
        assert (unknown.status_code, unknown.json()["code"]) == (503, "unavailable")
    finally:
        database.away = False
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not items:
            items = (await http.get("/v1/rejections", headers=tenant.bearer())).json()["items"]
            await asyncio.sleep(0.05)
    assert [(each["message_id"], each["code"]) for each in items] == [("bad", "id_illegal")]
