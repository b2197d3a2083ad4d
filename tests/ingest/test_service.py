"""The service as its senders and its operators meet it."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client

from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import batch, event


@pytest.mark.parametrize("gzip", [False, True])
async def test_the_sdk_of_segment_works_unchanged(
    running: Running, http: httpx.AsyncClient, tenant: Tenant, gzip: bool
) -> None:
    failed: list[Any] = []
    happened_at = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)

    def send() -> int:
        client = Client(
            tenant.write_key,
            host=running.url,
            gzip=gzip,
            upload_size=40,
            upload_interval=0.1,
            max_retries=0,
            on_error=lambda error, items: failed.append((error, items)),
        )
        calls: list[Callable[[int], Any]] = [
            lambda n: client.identify(f"user-{n}", {"email": f"ana{n}@example.com", "name": "Ana São"}),
            lambda n: client.track(f"user-{n}", "Report Exported", {"rows": n, "price": 1.1}, timestamp=happened_at),
            lambda n: client.page(f"user-{n}", "Docs", "Home", {"url": "https://example.com"}),
            lambda n: client.screen(f"user-{n}", "App", "Start"),
            lambda n: client.group(f"user-{n}", f"acme-{n}", {"plan": "pro"}),
            lambda n: client.alias(f"anonymous-{n}", f"user-{n}"),
        ]
        for number in range(1, 31):
            for call in calls:
                call(number)
        client.flush()
        client.join()
        return 30 * len(calls)

    sent = await asyncio.to_thread(send)
    found = await running.touchpoints(tenant.workspace)
    assert not failed
    assert len(found) == len({each.message_id for each in found}) == sent
    of = {kind: [each for each in found if each.type == kind] for kind in ("identify", "track", "group", "alias")}
    assert {len(each) for each in of.values()} == {30}
    assert {each.user_id for each in found} == {f"user-{n}" for n in range(1, 31)}
    assert {each.occurred_at for each in of["track"]} == {happened_at}
    assert {each.event for each in of["track"]} == {"Report Exported"}
    assert {each.group_id for each in of["group"]} == {f"acme-{n}" for n in range(1, 31)}
    assert {each.previous_id for each in of["alias"]} == {f"anonymous-{n}" for n in range(1, 31)}
    traits = [json.loads(bytes(each.body))["traits"] for each in of["identify"]]
    assert {each["email"] for each in traits} == {f"ana{n}@example.com" for n in range(1, 31)}
    assert {each["name"] for each in traits} == {"Ana São"}
    assert all(each.history for each in of["track"])
    assert not any(each.history for each in of["identify"])


async def test_a_touchpoint_carries_whose_it_is_and_where_from(
    running: Running, http: httpx.AsyncClient, tenant: Tenant
) -> None:
    body = batch(event(userId=42, properties={"price": 1.10}), sentAt="2026-02-01T00:00:00Z")
    answer = await http.post("/v1/batch", content=body, headers={"x-write-key": tenant.write_key})
    assert answer.json()["results"] == [{"message_id": "m-1", "status": "accepted"}]
    [touchpoint] = await running.touchpoints(tenant.workspace)
    assert (touchpoint.workspace, touchpoint.source, touchpoint.role) == (tenant.workspace, "app", "product")
    assert (touchpoint.user_id, touchpoint.occurred_at) == ("42", datetime(2026, 2, 1, tzinfo=UTC))


async def test_what_was_refused_rests_where_its_sender_can_see_it(
    http: httpx.AsyncClient, tenant: Tenant, running: Running
) -> None:
    many = [event(messageId=f"r-{number}", userId="null", properties={"n": number}) for number in range(5)]
    await http.post("/v1/batch", content=batch(*many), headers={"x-write-key": tenant.write_key})
    items: list[dict[str, Any]] = []
    for _ in range(100):
        items = (await http.get("/v1/rejections", headers=tenant.bearer())).json()["items"]
        if len(items) == 5:
            break
        await asyncio.sleep(0.1)
    assert [each["message_id"] for each in items] == [f"r-{number}" for number in range(5)]
    assert {(each["code"], each["source"], each["event"]) for each in items} == {
        ("id_illegal", "app", "Report Exported")
    }
    assert json.loads(items[3]["payload"])["properties"] == {"n": 3}
    first = (await http.get("/v1/rejections?limit=2", headers=tenant.bearer())).json()
    rest = (await http.get(f"/v1/rejections?after={first['next']}", headers=tenant.bearer())).json()
    assert [each["id"] for each in (*first["items"], *rest["items"])] == [each["id"] for each in items]
    assert rest["next"] is None
    plain = (await http.get("/v1/rejections", headers=tenant.bearer(tenant.reader))).json()["items"]
    assert all("payload" not in each for each in plain)
    assert (await http.get("/v1/rejections?after=%00", headers=tenant.bearer())).status_code == 400
    assert (await http.get("/v1/rejections")).status_code == 401


async def test_rejections_of_another_workspace_are_never_shown(
    http: httpx.AsyncClient, tenant: Tenant, running: Running
) -> None:
    other = await running.access.create_workspace(f"other{tenant.workspace.hex}")
    token = await running.access.create_token(other.id, "all", ["read", "payloads"])
    await http.post("/v1/batch", content=batch(event(userId="0")), headers={"x-write-key": tenant.write_key})
    for _ in range(100):
        if (await http.get("/v1/rejections", headers=tenant.bearer())).json()["items"]:
            break
        await asyncio.sleep(0.1)
    assert (await http.get("/v1/rejections", headers=tenant.bearer(token.secret))).json()["items"] == []


async def test_sources_are_made_keyed_and_removed(http: httpx.AsyncClient, tenant: Tenant) -> None:
    made = await http.post("/v1/sources", json={"name": "billing", "role": "billing"}, headers=tenant.bearer())
    assert (made.status_code, made.json()["role"]) == (201, "billing")
    again = await http.post("/v1/sources", json={"name": "billing", "role": "billing"}, headers=tenant.bearer())
    assert again.status_code == 409
    issued = await http.post("/v1/keys", json={"source": "billing"}, headers=tenant.bearer())
    key = issued.json()["write_key"]
    taken = await http.post("/v1/batch", content=batch(event()), headers={"x-write-key": key})
    assert taken.json()["results"][0]["status"] == "accepted"
    listed = (await http.get("/v1/sources", headers=tenant.bearer())).json()["items"]
    assert [each["name"] for each in listed] == ["app", "billing"]
    removed = await http.delete("/v1/sources/billing", headers=tenant.bearer())
    assert removed.json()["removed_at"] is not None
    assert [each["name"] for each in (await http.get("/v1/sources", headers=tenant.bearer())).json()["items"]] == [
        "app"
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", "/v1/sources/none", 404, "source_unknown"),
        ("DELETE", "/v1/sources/JORNADA", 400, "invalid_name"),
    ],
)
async def test_sources_that_are_not_there_are_said_so(
    http: httpx.AsyncClient, tenant: Tenant, method: str, path: str, status: int, code: str
) -> None:
    answer = await http.request(method, path, headers=tenant.bearer())
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("position", [b"[]", b"[1]", b'["x"]', b"[null]", b"{}", b"[" * 30_000, b"\xff", b"[1e400]"])
async def test_a_cursor_of_somebody_elses_making_is_a_400(
    http: httpx.AsyncClient, tenant: Tenant, position: bytes
) -> None:
    cursor = base64.urlsafe_b64encode(position).decode()
    for path in (f"/v1/dead-letters?cursor={cursor}", f"/v1/rejections?after={cursor}"):
        answer = await http.get(path, headers=tenant.bearer())
        assert answer.status_code in {400, 431} or (position == b"[1]" and "rejections" in path), path


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/t/", "/v1/sources", "/livez"])
async def test_a_wrong_method_is_told_the_right_ones(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.request("PROPFIND", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"]


async def test_only_an_admin_changes_sources(http: httpx.AsyncClient, tenant: Tenant) -> None:
    for method, path in (("POST", "/v1/sources"), ("DELETE", "/v1/sources/app")):
        answer = await http.request(method, path, json={"name": "x"}, headers=tenant.bearer(tenant.reader))
        assert answer.status_code == 403
    reserved = await http.post("/v1/sources", json={"name": "jornada"}, headers=tenant.bearer())
    assert reserved.status_code == 400


async def test_browser_sdks_find_their_settings(http: httpx.AsyncClient, tenant: Tenant, running: Running) -> None:
    for slash in ("", "/"):
        found = (await http.get(f"/v1/projects/{tenant.write_key}/settings{slash}")).json()
        assert found["integrations"]["Segment.io"]["apiHost"] == running.url.removeprefix("http://") + "/v1"
        assert found["metrics"] == {"sampleRate": 0}
        config = (await http.get(f"/sourceConfig{slash}", auth=(tenant.write_key, ""))).json()
        assert config["source"]["enabled"] is True
        assert config["source"]["destinations"] == []
    assert (await http.get("/v1/projects/nobody/settings")).status_code == 404
    refused = await http.get("/sourceConfig/", auth=("nobody", ""))
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


async def test_a_stream_takes_its_token_from_no_address(http: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await http.get(f"/v1/live?token={tenant.token}")).status_code == 401


async def test_the_hot_routes_stand_in_openapi(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert {"/v1/batch", "/v1/track", "/v1/i", "/v1/sources", "/v1/live", "/v1/rejections"} <= document["paths"].keys()
    assert document["paths"]["/v1/track"]["post"]["requestBody"]["content"]["application/json"]["example"]["event"]


async def test_the_lag_is_told_and_falls_to_nothing(http: httpx.AsyncClient, tenant: Tenant) -> None:
    await http.post("/v1/batch", content=batch(event(userId="0")), headers={"x-write-key": tenant.write_key})
    for _ in range(100):
        lag = (await http.get("/v1/lag")).json()
        if lag["caught_up"]:
            break
        await asyncio.sleep(0.1)
    assert lag["caught_up"]
    assert {each["topic"] for each in lag["partitions"]} == {"jornada.rejections.v1", "jornada.erasures.v1"}
