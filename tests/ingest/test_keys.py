"""Write keys over HTTP: made, listed, rotated and revoked by an admin of their own workspace, and by nobody else."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.access.keyring import FRESH, UNKNOWN, Keyring
from jornada.access.secrets import draw_write_key
from jornada.events import new_id
from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import batch, event


async def made(http: httpx.AsyncClient, tenant: Tenant, source: str = "app") -> dict[str, Any]:
    """A new key of a source, as it is told once."""
    answer = await http.post("/v1/keys", json={"source": source}, headers=tenant.bearer())
    assert answer.status_code == 201
    document: dict[str, Any] = answer.json()
    return document


async def lets_in(http: httpx.AsyncClient, write_key: str) -> bool:
    answer = await http.post("/v1/batch", content=batch(event()), headers={"x-write-key": write_key})
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


async def stranger(running: Running) -> Tenant:
    """Another workspace, with a source of the same name."""
    access = running.access
    workspace = await access.create_workspace(f"s{new_id().hex}")
    await access.create_source(workspace.id, "app", "product")
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "all", ["read", "write", "admin", "payloads"])
    return Tenant(workspace.id, key.secret, token.secret, token.secret)


async def test_a_key_is_made_and_listed_and_its_secret_is_shown_once(http: httpx.AsyncClient, tenant: Tenant) -> None:
    key = await made(http, tenant)
    assert await lets_in(http, key["write_key"])
    secret = key.pop("write_key")
    listed = await http.get("/v1/keys", headers=tenant.bearer(tenant.reader))
    assert listed.json()["items"][-1] == key
    assert (key["source"], key["revoked_at"]) == ("app", None)
    assert secret not in listed.text
    assert tenant.write_key not in listed.text


async def test_rotation_leaves_both_keys_valid_until_the_old_one_is_revoked(
    http: httpx.AsyncClient, tenant: Tenant
) -> None:
    old = await made(http, tenant)
    new = (await http.post(f"/v1/keys/{old['id']}/rotate", headers=tenant.bearer())).json()
    assert new["source"] == old["source"] and new["id"] != old["id"]
    assert await lets_in(http, old["write_key"]) and await lets_in(http, new["write_key"])
    revoked = await http.post(f"/v1/keys/{old['id']}/revoke", headers=tenant.bearer())
    assert revoked.status_code == 200 and revoked.json()["revoked_at"] is not None
    assert (await http.post(f"/v1/keys/{old['id']}/revoke", headers=tenant.bearer())).json() == revoked.json()
    again = await http.post(f"/v1/keys/{old['id']}/rotate", headers=tenant.bearer())
    assert (again.status_code, again.json()["code"]) == (404, "key_unknown")
    assert await lets_in(http, new["write_key"])
    shown = (await http.get("/v1/keys", headers=tenant.bearer())).json()["items"]
    assert {each["id"]: each["revoked_at"] is None for each in shown[-2:]} == {old["id"]: False, new["id"]: True}


async def test_keys_are_listed_in_pages_that_neither_skip_nor_repeat_while_keys_are_added(
    http: httpx.AsyncClient, tenant: Tenant
) -> None:
    await http.post("/v1/sources", json={"name": "web"}, headers=tenant.bearer())
    for number in range(7):
        await made(http, tenant, "web" if number % 2 else "app")
    whole = [each["id"] for each in (await http.get("/v1/keys", headers=tenant.bearer())).json()["items"]]
    paged: list[str] = []
    cursor = ""
    while len(paged) < 50:
        page = (await http.get("/v1/keys", params={"limit": 3, "cursor": cursor}, headers=tenant.bearer())).json()
        paged += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        if len(paged) == 3:
            whole.append((await made(http, tenant))["id"])
    assert paged == whole
    of_web = (await http.get("/v1/keys?source=web", headers=tenant.bearer())).json()["items"]
    assert [each["source"] for each in of_web] == ["web"] * 3
    assert (await http.get("/v1/keys?source=none", headers=tenant.bearer())).json() == {"items": [], "next": None}


async def test_sources_are_listed_in_pages(http: httpx.AsyncClient, tenant: Tenant) -> None:
    for name in ("b", "c", "d"):
        await http.post("/v1/sources", json={"name": name}, headers=tenant.bearer())
    first = (await http.get("/v1/sources?limit=2", headers=tenant.bearer())).json()
    rest = (await http.get("/v1/sources", params={"cursor": first["next"]}, headers=tenant.bearer())).json()
    assert [[each["name"] for each in page["items"]] for page in (first, rest)] == [["app", "b"], ["c", "d"]]
    assert rest["next"] is None


@pytest.mark.parametrize("act", ["rotate", "revoke"])
async def test_another_workspaces_key_is_not_found_and_not_touched(
    http: httpx.AsyncClient, tenant: Tenant, running: Running, act: str
) -> None:
    other = await stranger(running)
    key = await made(http, tenant)
    answer = await http.post(f"/v1/keys/{key['id']}/{act}", headers=other.bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "key_unknown")
    listed = (await http.get("/v1/keys", headers=other.bearer())).json()["items"]
    assert key["id"] not in {each["id"] for each in listed}
    assert len(await running.access.keys(other.workspace)) == 1
    assert [each.revoked_at for each in await running.access.keys(tenant.workspace)] == [None, None]


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/keys/{id}/rotate", "/v1/keys/{id}/revoke"])
async def test_only_an_admin_changes_keys_and_nobody_unknown_reads_them(
    http: httpx.AsyncClient, tenant: Tenant, path: str
) -> None:
    key = await made(http, tenant)
    changing = path.format(id=key["id"])
    reader = await http.post(changing, json={"source": "app"}, headers=tenant.bearer(tenant.reader))
    assert (reader.status_code, reader.json()["code"]) == (403, "forbidden")
    writer = await http.post(changing, json={"source": "app"}, headers=tenant.bearer(tenant.write_key))
    assert writer.status_code == 401
    assert (await http.get("/v1/keys")).status_code == 401
    assert await lets_in(http, key["write_key"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/keys", {"source": "none"}, 404, "source_unknown"),
        ("POST", "/v1/keys", {"source": "jornada"}, 404, "source_unknown"),
        ("POST", "/v1/keys", {"source": "Not A Name"}, 400, "invalid_name"),
        ("POST", "/v1/keys", {"source": "\x00"}, 400, "invalid_name"),
        ("POST", "/v1/keys", {"source": "\ud800"}, 400, "invalid_name"),
        ("POST", "/v1/keys", {"source": 7}, 400, "invalid"),
        ("POST", "/v1/keys", {"source": "app", "secret": "wk_mine"}, 400, "invalid"),
        ("POST", "/v1/keys", [], 400, "invalid"),
        ("GET", "/v1/keys?source=%00", None, 400, "invalid_name"),
        ("GET", "/v1/keys?cursor=WzFd", None, 400, "invalid_cursor"),
        ("GET", "/v1/keys?limit=0", None, 400, "invalid"),
        ("GET", "/v1/sources?cursor=WzFd", None, 400, "invalid_cursor"),
        ("GET", "/v1/sources?cursor=WyJcdTAwMDAiXQ", None, 400, "invalid_cursor"),
        ("POST", "/v1/keys/7/revoke", None, 400, "invalid"),
        ("POST", "/v1/keys/00000000-0000-0000-0000-000000000000/revoke", None, 404, "key_unknown"),
        ("POST", "/v1/keys/00000000-0000-0000-0000-000000000000/rotate", None, 404, "key_unknown"),
        ("POST", "/v1/sources", {"name": "\ud800"}, 400, "invalid_name"),
        ("POST", "/v1/sources", {"name": "a" * 64}, 400, "invalid_name"),
        ("POST", "/v1/sources", {"name": "ok", "role": "owner"}, 400, "invalid"),
        ("DELETE", "/v1/sources/%F0%9F%92%A9", None, 400, "invalid_name"),
        ("GET", "/v1/rejections?code=%00", None, 400, "invalid"),
        ("GET", "/v1/rejections?source=%00", None, 400, "invalid_name"),
        ("GET", "/v1/rejections?after=WzEuNV0", None, 400, "invalid_cursor"),
        ("GET", "/v1/dead-letters?cursor=WzFd", None, 400, "invalid_cursor"),
        ("GET", "/v1/live?status=maybe", None, 400, "invalid"),
    ],
)
async def test_what_cannot_be_is_a_problem_with_code_and_message(
    http: httpx.AsyncClient, tenant: Tenant, method: str, path: str, body: Any, status: int, code: str
) -> None:
    content = None if body is None else json.dumps(body)
    headers = tenant.bearer() | {"content-type": "application/json"}
    answer = await http.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.headers["content-type"] == "application/problem+json"


@given(
    route=st.sampled_from(["/v1/sources", "/v1/keys"]),
    body=st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(["name", "source", "role", "x"]), st.text() | st.floats() | st.none()).map(
        lambda value: repr(value).replace("'", '"').encode("utf-8", "surrogatepass")
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_body_breaks_a_route(http: httpx.AsyncClient, tenant: Tenant, route: str, body: bytes) -> None:
    headers = tenant.bearer() | {"content-type": "application/json"}
    answer = await http.post(route, content=body, headers=headers)
    assert answer.status_code in {201, 400, 404, 409}
    if answer.status_code != 201:
        assert {"code", "message"} <= answer.json().keys()


async def test_two_replicas_learn_of_a_change_within_a_minute(running: Running, tenant: Tenant) -> None:
    """Two keyrings over one Postgres, under a clock that is turned by hand: for how long each is behind."""
    now = [0.0]
    replicas = [Keyring(running.access, lambda: now[0]) for _ in range(2)]
    new, old = draw_write_key(), (await running.access.keys(tenant.workspace))[0]
    assert all([await each.write_grant(tenant.write_key) for each in replicas])
    assert not any([await each.write_grant(new) for each in replicas])
    await running.access.create_key(tenant.workspace, "app", new)
    await running.access.revoke_key(tenant.workspace, old.id)
    refused_for = passed_for = 0.0
    while passed_for == 0.0:
        now[0] += 0.5
        if refused_for == 0.0 and all([await each.write_grant(new) for each in replicas]):
            refused_for = now[0]
        if not any([await each.write_grant(tenant.write_key) for each in replicas]):
            passed_for = now[0]
    assert (refused_for, passed_for) == (UNKNOWN, FRESH)
    assert passed_for <= 60


async def test_every_route_of_ours_shows_what_it_takes_and_gives(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    silent: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not path.startswith(("/v1/sources", "/v1/keys", "/v1/rejections", "/v1/live")):
                continue
            given_ = operation.get("requestBody", {"content": {}})["content"].get("application/json", {"example": 1})
            told = [
                each
                for status, answer in operation["responses"].items()
                if status.startswith("2")
                for each in answer.get("content", {}).values()
            ]
            schema = given_.get("schema", {})
            if not ("example" in given_ or "examples" in given_ or "examples" in schema):
                silent.append(f"{method} {path} takes")
            if not any("example" in each for each in told):
                silent.append(f"{method} {path} gives")
    assert silent == []
    assert {"/v1/keys", "/v1/keys/{id}/rotate", "/v1/keys/{id}/revoke"} <= document["paths"].keys()
