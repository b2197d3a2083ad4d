"""With Postgres away ingest still takes events of keys that it knows, and is ready to."""

from pathlib import Path

import httpx

from jornada.access.store import PostgresAccess
from jornada.clock import SystemClock
from jornada.events import REJECTIONS, TOUCHPOINTS
from services.ingest.app import build
from services.ingest.settings import Settings
from tests.conftest import DatabaseFactory
from tests.ingest.conftest import Tenant
from tests.ingest.makes import Breakable, HeldBus, batch, event


async def test_a_known_key_still_acks_while_postgres_is_away(
    postgres_url: str, database_for: DatabaseFactory, tmp_path: Path
) -> None:
    access = PostgresAccess(await database_for("ingest"))
    workspace = await access.create_workspace("outage")
    await access.create_source(workspace.id, "app", "product")
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "all", ["read"])
    tenant = Tenant(workspace.id, key.secret, token.secret, token.secret)

    database = Breakable(postgres_url, "ingest")
    bus = HeldBus()
    settings = Settings(mode="local", data_dir=tmp_path, ingest_patience=0.0)
    service = build(settings, bus, database, SystemClock())
    service.health.up = True
    sender = {"x-write-key": tenant.write_key}
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://ingest") as http:
            assert (await http.post("/v1/batch", content=batch(event()), headers=sender)).status_code == 200
            assert (await http.get("/v1/rejections", headers=tenant.bearer())).status_code == 200
            database.away = True
            body = batch(event(messageId="b"), event(messageId="c", userId="null"))
            answer = await http.post("/v1/batch", content=body, headers=sender)
            assert [each["status"] for each in answer.json()["results"]] == ["accepted", "rejected"]
            assert [each.topic for each in bus.records] == [TOUCHPOINTS.name, TOUCHPOINTS.name, REJECTIONS.name]
            assert (await http.get("/readyz")).status_code == 200
            asked = await http.get("/v1/rejections", headers=tenant.bearer())
            assert (asked.status_code, "retry-after" in asked.headers) == (503, True)
            unknown = await http.post("/v1/batch", content=body, headers={"x-write-key": "wk_unknown"})
            assert (unknown.status_code, "retry-after" in unknown.headers) == (503, True)
    finally:
        await database.stop()
