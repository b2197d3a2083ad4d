"""Segment's dialect row by row: what every SDK may count on, whatever path, key, encoding or error."""

import asyncio
import base64
import gzip
import json
import zlib
from datetime import datetime
from typing import Any

import httpx
import pytest

from jornada.access.keyring import Keyring
from jornada.events import Touchpoint
from jornada.web import Answer, Fields
from services.ingest.api.collect import PATHS, READERS, Collect
from services.ingest.domain.time import instant
from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import KEY, Ingest, accepted, batch, event

SINGLES = sorted(path for path, type_ in PATHS.items() if type_)
BATCHES = sorted(path for path, type_ in PATHS.items() if not type_)
OF_EVERY_TYPE: dict[str, Any] = {"groupId": "acme", "previousId": "a"}


def single(**fields: Any) -> bytes:
    """A body that is a good event of every type, which it does not name."""
    return json.dumps(event(type=..., **OF_EVERY_TYPE, **fields)).encode()


def keyless(**headers: str) -> dict[str, str]:
    return {"x-write-key": "", **headers}


@pytest.mark.parametrize("path", sorted(READERS))
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_hot_paths_are_for_post_and_say_so(path: str, method: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Ingest().app), base_url="http://ingest") as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert method == "HEAD" or answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", SINGLES)
async def test_a_single_event_may_carry_its_key(path: str) -> None:
    ingest = Ingest()
    answer = await ingest.post(path, single(writeKey=KEY), keyless())
    assert answer.status_code == 200
    assert KEY.encode() not in b"".join(each.value for each in ingest.bus.records)


async def test_the_key_of_an_event_is_kept_nowhere_though_the_event_is_refused() -> None:
    ingest = Ingest()
    answer = await ingest.post("/v1/batch", batch(event(userId="null", writeKey=KEY), writeKey=KEY), keyless())
    assert [each["status"] for each in answer.json()["results"]] == ["rejected"]
    assert len(ingest.bus.records) == 1
    assert KEY.encode() not in ingest.bus.records[0].value


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, batch(event(writeKey=KEY), event(messageId="b", writeKey=KEY), writeKey=KEY), 200, None),
        ({}, batch(event(writeKey=KEY), event(messageId="b")), 200, None),
        ({}, batch(event(writeKey=KEY), event(messageId="b", writeKey="wk_other")), 400, "write_keys_differ"),
        ({}, batch(event(writeKey="wk_other"), writeKey=KEY), 400, "write_keys_differ"),
        ({}, batch(event(writeKey="wk_other")), 401, "invalid_write_key"),
        ({"x-write-key": KEY}, batch(event(writeKey="wk_other"), writeKey="wk_third"), 200, None),
        ({"x-write-key": "wk_other"}, batch(event(writeKey=KEY), writeKey=KEY), 401, "invalid_write_key"),
        ({}, batch(event(writeKey=None), event(messageId="b", writeKey=7), writeKey=KEY), 200, None),
    ],
)
async def test_a_request_has_one_key_and_the_headers_name_it_first(
    headers: dict[str, str], body: bytes, status: int, code: str | None
) -> None:
    ingest = Ingest()
    answer = await ingest.post("/v1/batch", body, keyless() | headers)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert bool(ingest.bus.records) == (status == 200)
    assert b"wk_" not in b"".join(each.value for each in ingest.bus.records)


@pytest.mark.parametrize(
    "authorization",
    [f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}", f"bearer  {KEY}", f"Basic {KEY}", ""],
)
async def test_headers_name_the_key_in_three_ways(authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {"x-write-key": f" {KEY} "}
    assert (await Ingest().post("/v1/t", single(), keyless() | headers)).status_code == 200


async def test_an_unknown_key_is_asked_for_once_and_its_body_is_not_read() -> None:
    ingest = Ingest()
    asked = 0
    find = ingest.keys.write_grant

    async def counted(sha256: bytes) -> Any:
        nonlocal asked
        asked += 1
        return await find(sha256)

    ingest.keys.write_grant = counted  # type: ignore[method-assign]
    collect = Collect(ingest.intake, Keyring(ingest.keys), ingest.limits)
    head = Fields([(b"x-write-key", b"wk_other")])
    first = collect.begin("/v1/batch", head)
    assert not isinstance(first, Answer)
    said: list[Answer] = []
    waiting = first.answer(said.append)
    assert waiting is not None
    await waiting
    assert [each.status for each in said] == [401]
    for _ in range(50):
        again = collect.begin("/v1/batch", head)
        assert isinstance(again, Answer), "the body would be read"
        assert again.status == 401
    assert asked == 1


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, br", "compress"])
async def test_an_encoding_that_is_not_gzip_is_refused_with_a_code(encoding: str) -> None:
    body = zlib.compress(single()) if encoding == "deflate" else single()
    answer = await Ingest().post("/v1/track", body, {"content-encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (400, "encoding_unsupported")


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/events", "/v1/cloudevents"])
async def test_every_path_inflates_gzip_in_several_members(path: str) -> None:
    bodies = {"/v1/track": single(), "/v1/batch": batch(event()), "/v1/events": json.dumps(event()).encode()}
    cloud_event = {"specversion": "1.0", "id": "m-1", "source": "/", "type": "t", "subject": "42"}
    body = bodies.get(path, json.dumps(cloud_event).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/cloudevents+json"}
    answer = await Ingest().post(path, gzip.compress(body[:20]) + gzip.compress(body[20:]), headers)
    assert answer.json() == {"success": True, "results": [{"message_id": "m-1", "status": "accepted"}]}


@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "text/xml", ""])
async def test_a_content_type_means_nothing_to_json(path: str, kind: str) -> None:
    body = single() if PATHS[path] else batch(event())
    assert (await Ingest().post(path, body, {"content-type": kind})).status_code == 200


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", ["userId", "anonymousId", "groupId", "previousId", "messageId"])
def test_an_id_that_says_nothing_is_absent(name: str, nothing: str | None) -> None:
    other = {"anonymousId": "a"} if name == "userId" else {}
    touchpoint = accepted(event(**{name: nothing}, **other))
    ids = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}
    assert name == "messageId" or getattr(touchpoint, ids[name]) is None
    assert json.loads(bytes(touchpoint.body))[name] == nothing


def test_an_integer_is_its_decimal_text_wherever_an_id_stands() -> None:
    touchpoint = accepted(event(userId=42, anonymousId=7, previousId=9, context={"groupId": 5}))
    assert (touchpoint.user_id, touchpoint.anonymous_id) == ("42", "7")
    assert (touchpoint.previous_id, touchpoint.group_id) == ("9", "5")


@pytest.mark.parametrize(
    "text",
    ["a b", " a ", "a/b", "a%2Fb", "ação", "ac\u0327a\u0303o", "Ana", "😀", "a@b.c", "x" * 256, "null island", "10"],
)
def test_ids_are_kept_as_they_are(text: str) -> None:
    assert accepted(event(userId=text)).user_id == text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timestamp": "2026-02-01T00:00:00Z"}, "2026-02-01T00:00:00Z"),
        ({"originalTimestamp": "2026-02-02T00:00:00Z"}, "2026-02-02T00:00:00Z"),
        ({"timestamp": "2026-02-01T00:00:00Z", "originalTimestamp": "2026-02-02T00:00:00Z"}, "2026-02-02T00:00:00Z"),
        ({"timestamp": "2026-02-01T00:00:00Z", "originalTimestamp": None}, "2026-02-01T00:00:00Z"),
        ({"timestamp": "2026-02-01T00:00:00.123456789+02:00"}, "2026-01-31T22:00:00.123456Z"),
    ],
)
def test_the_original_timestamp_holds_and_all_clocks_are_kept_as_given(fields: dict[str, Any], expected: str) -> None:
    given = event(**fields, sentAt="2026-02-03T00:00:00.1Z", receivedAt="2026-02-03T00:00:01Z")
    touchpoint = accepted(given)
    assert touchpoint.occurred_at == datetime.fromisoformat(expected)
    assert json.loads(bytes(touchpoint.body)) == given


def test_a_late_sent_at_moves_nothing() -> None:
    for late in ("2026-03-01T11:58:54Z", "2026-01-01T00:00:00Z"):
        touchpoint = accepted(event(timestamp="2026-02-20T10:00:00Z"), sentAt=late)
        assert (touchpoint.occurred_at, touchpoint.clock_shift_ms) == (instant("2026-02-20T10:00:00Z"), 0)


def test_the_top_level_merges_and_the_event_holds() -> None:
    def merged(own: dict[str, Any], **top: Any) -> Touchpoint:
        return accepted(event(**own), **top)

    top = {"context": {"ip": "top", "library": {"name": "x"}}, "integrations": {"All": True, "A": False}}
    body = json.loads(bytes(merged({"context": {"ip": "own"}, "integrations": {"A": True}}, **top).body))
    assert body["context"] == {"ip": "own", "library": {"name": "x"}}
    assert body["integrations"] == {"All": True, "A": True}
    assert json.loads(bytes(merged({"context": None}, **top).body))["context"] == top["context"]
    assert "context" not in json.loads(bytes(merged({}, context=None).body))
    assert merged({"userId": ...}, context={"groupId": "acme"}).group_id == "acme"


def test_traits_and_unknown_keys_are_kept_where_they_stand() -> None:
    given = event(type="identify", context={"traits": {"email": "a@b.c"}}, traits={"plan": "pro"}, _v=1, channel="web")
    assert json.loads(bytes(accepted(given).body)) == given


async def test_an_answer_comes_though_the_stream_hangs() -> None:
    ingest = Ingest(patience=0.1)
    ingest.bus.gate = asyncio.Event()
    answer = await ingest.post("/v1/batch", batch(event()))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize("path", sorted(READERS))
async def test_no_answer_is_one_that_an_sdk_takes_wrongly(path: str) -> None:
    ingest = Ingest()
    for body in (b"", b"{", b"{}", b"[]", batch(), batch(event()), single(), b"\xff", b" " * 512_001):
        for headers in ({}, keyless(), {"content-encoding": "br"}, {"ce-id": "1", "content-type": "text/plain"}):
            answer = await ingest.post(path, body, headers)
            assert answer.status_code in {200, 400, 401, 413}
            assert answer.status_code == 200 or {"code", "message"} <= answer.json().keys()
            assert answer.headers["access-control-allow-origin"] == "*"


async def test_every_other_path_answers_errors_with_code_message_and_cors(
    http: httpx.AsyncClient, running: Running
) -> None:
    documented = (await http.get("/openapi.json")).json()["paths"]
    asked = [
        (method, path.replace("{id}", "x").replace("{name}", "x").replace("{write_key}", "x"))
        for path in [*documented, "/", "/v1", "/v1/", "/nowhere", "/v1/nowhere/", "/v1/sources/", "/v1//batch"]
        for method in ("GET", "POST", "PUT", "DELETE")
        if not (method == "GET" and path in {"/livez", "/readyz", "/metrics", "/openapi.json", "/v1/lag"})
    ]
    for method, path in asked:
        answer = await http.request(method, path)
        assert 400 <= answer.status_code < 500, (method, path, answer.status_code)
        assert {"code", "message"} <= answer.json().keys(), (method, path)
        assert answer.headers["access-control-allow-origin"] == "*", (method, path)
        assert (answer.status_code == 405) == ("allow" in answer.headers), (method, path)


async def test_no_path_redirects_with_or_without_a_slash(http: httpx.AsyncClient, tenant: Tenant) -> None:
    documented = (await http.get("/openapi.json")).json()["paths"]
    for path in documented:
        for slash in ("", "/"):
            answer = await http.post(path.rstrip("/") + slash, headers=tenant.bearer(), content=b"{}")
            assert not answer.is_redirect, path


async def test_every_example_of_the_documents_is_accepted(http: httpx.AsyncClient, tenant: Tenant) -> None:
    documented = (await http.get("/openapi.json")).json()["paths"]
    assert documented.keys() >= READERS.keys()
    for path in READERS:
        operation = documented[path]["post"]
        headers = {each["name"]: each["example"] for each in operation.get("parameters", [])}
        for kind, given in operation["requestBody"]["content"].items():
            answer = await http.post(
                path,
                json=given["example"],
                headers={**headers, "content-type": kind, "x-write-key": tenant.write_key},
            )
            assert answer.status_code == 200, (path, kind, answer.text)
            assert {each["status"] for each in answer.json()["results"]} <= {"accepted", "duplicate"}, (path, kind)


async def test_preflights_pass_on_every_path(http: httpx.AsyncClient) -> None:
    for path in (*READERS, "/v1/projects/x/settings", "/sourceConfig/", "/v1/rejections", "/nowhere"):
        for asked in ("authorization,content-type", "anonymousid, sentat", "rsa-x,rsa-y"):
            headers = {"origin": "https://shop.example", "access-control-request-headers": asked}
            answer = await http.options(path, headers=headers | {"access-control-request-method": "POST"})
            assert answer.is_success
            assert answer.headers["access-control-allow-headers"] == asked
            assert "POST" in answer.headers["access-control-allow-methods"]


async def test_settings_are_an_object_per_integration_and_name_this_host(
    http: httpx.AsyncClient, tenant: Tenant
) -> None:
    for slash in ("", "/"):
        answer = await http.get(f"/v1/projects/{tenant.write_key}/settings{slash}")
        assert isinstance(answer.json()["integrations"]["Segment.io"], dict)
        config = await http.get(f"/sourceConfig{slash}", params={"p": "npm", "writeKey": tenant.write_key})
        assert config.json()["source"]["writeKey"] == tenant.write_key
    for path in ("/v1/projects/nobody/settings", "/sourceConfig/?writeKey=nobody"):
        refused = await http.get(path)
        assert refused.status_code in {401, 404}
        assert {"code", "message"} <= refused.json().keys()
