"""The dialect on the wire: paths, keys, encodings, CORS, errors; and no byte string that breaks it."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.web import Answer, Fields
from services.ingest.api.collect import PATHS, READERS
from tests.ingest.makes import KEY, Ingest, batch, event

BASIC = {"authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}


def client_of(ingest: Ingest) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(ingest.app), base_url="http://ingest")


@pytest.fixture
async def ingest() -> Ingest:
    return Ingest()


@pytest.fixture
async def client(ingest: Ingest) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(ingest) as client:
        yield client


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PATHS)
async def test_every_path_takes_its_call_with_and_without_a_slash(
    client: httpx.AsyncClient, path: str, slash: str
) -> None:
    single = event(type=..., groupId="acme", previousId="a")
    body = json.dumps(single).encode() if PATHS[path] else batch(event())
    answer = await client.post(path + slash, content=body, headers=BASIC)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "results": [{"message_id": "m-1", "status": "accepted"}]}


async def test_the_path_names_the_type_of_an_event_that_does_not(client: httpx.AsyncClient, ingest: Ingest) -> None:
    await client.post("/v1/i", content=json.dumps(event(type=..., event=...)), headers=BASIC)
    await client.post("/v1/i", content=json.dumps(event(type="page", messageId="b")), headers=BASIC)
    assert [each.type for each in ingest.bus.touchpoints()] == ["identify", "page"]


@pytest.mark.parametrize(
    ("headers", "top", "own"),
    [
        (BASIC, {}, {}),
        ({"authorization": "basic " + base64.b64encode(f"{KEY}:password".encode()).decode()}, {}, {}),
        ({"authorization": f"Bearer {KEY}"}, {}, {}),
        ({"x-write-key": KEY}, {}, {}),
        ({}, {"writeKey": KEY}, {}),
        ({}, {}, {"writeKey": KEY}),
    ],
)
async def test_the_key_comes_in_any_way_an_sdk_sends_it(
    client: httpx.AsyncClient, ingest: Ingest, headers: dict[str, str], top: dict[str, Any], own: dict[str, Any]
) -> None:
    answer = await client.post("/v1/batch", content=batch(event(**own), **top), headers=headers)
    assert answer.status_code == 200
    assert KEY.encode() not in b"".join(each.value for each in ingest.bus.records)


@pytest.mark.parametrize(
    ("headers", "top"),
    [
        ({}, {}),
        ({"authorization": "Bearer other"}, {"writeKey": KEY}),
        ({"authorization": "Basic !!"}, {}),
        ({"authorization": "Basic"}, {}),
        ({"x-write-key": "x" * 1_000}, {}),
        ({"x-write-key": "\xe9"}, {}),
        ({}, {"writeKey": "\ud800"}),
        ({}, {"writeKey": 7}),
        ({}, {"writeKey": ""}),
    ],
)
async def test_without_a_valid_key_it_is_a_401_with_code_and_message(
    client: httpx.AsyncClient, ingest: Ingest, headers: dict[str, str], top: dict[str, Any]
) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.post("/v1/batch", content=batch(event(), **top), headers=sent)
    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_write_key"
    assert answer.json()["message"]
    assert not ingest.bus.records


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
async def test_json_is_read_whatever_the_content_type(client: httpx.AsyncClient, kind: str | None) -> None:
    headers = BASIC | ({"content-type": kind} if kind else {})
    assert (await client.post("/v1/batch", content=batch(event()), headers=headers)).status_code == 200


async def test_gzip_is_inflated_and_bounded(client: httpx.AsyncClient) -> None:
    headers = BASIC | {"content-encoding": "gzip"}
    assert (await client.post("/v1/b", content=gzip.compress(batch(event())), headers=headers)).status_code == 200
    bomb = await client.post("/v1/b", content=gzip.compress(b" " * 50_000_000), headers=headers)
    assert (bomb.status_code, bomb.json()["code"]) == (413, "body_too_large")


async def test_a_body_over_the_limit_is_a_413_declared_or_not(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b" " * 10_000

    for content in (b" " * 512_001, chunks()):
        answer = await client.post("/v1/b", content=content, headers=BASIC)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("length", "refused"), [(b"512000", False), (b"512001", True), (b"9" * 5_000, True)])
async def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_comes(
    ingest: Ingest, length: bytes, refused: bool
) -> None:
    begun = ingest.collect.begin("/v1/b", Fields([(b"x-write-key", KEY.encode()), (b"content-length", length)]))
    assert (begun.status if isinstance(begun, Answer) else None) == (413 if refused else None)


async def test_an_answer_names_the_trace_of_its_request(client: httpx.AsyncClient) -> None:
    trace = "00-0191f7a26f1c7a2e9c55000000000001"
    sent = BASIC | {"traceparent": f"{trace}-0191f7a26f1c7a2e-01"}
    answer = await client.post("/v1/batch", content=batch(event()), headers=sent)
    assert answer.headers["traceparent"].startswith(f"{trace}-")


async def test_a_batch_of_refused_events_is_a_200(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/batch", content=batch(event(userId="null"), 7), headers=BASIC)
    assert answer.status_code == 200
    assert [each["code"] for each in answer.json()["results"]] == ["id_illegal", "not_an_object"]


async def test_a_preflight_echoes_what_is_asked_for_on_every_path(client: httpx.AsyncClient) -> None:
    for path in ("/v1/batch", "/v1/t/", "/v1/projects/x/settings", "/anything"):
        asked = {"origin": "https://shop.example", "access-control-request-headers": "anonymousid,rsa-x,authorization"}
        answer = await client.options(path, headers=asked)
        assert answer.is_success
        assert answer.headers["access-control-allow-headers"] == "anonymousid,rsa-x,authorization"
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_browsers_may_read_every_answer(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/v1/batch", content=batch(event()), headers=BASIC),
        await client.post("/v1/batch", content=b"{"),
        await client.get("/v1/batch"),
        await client.get("/nowhere"),
    ]
    assert [each.status_code for each in answers] == [200, 400, 405, 404]
    assert all(each.headers["access-control-allow-origin"] == "*" for each in answers)


async def test_in_doubt_it_is_a_503_with_retry_after_and_it_recovers_by_itself(
    client: httpx.AsyncClient, ingest: Ingest
) -> None:
    ingest.bus.away = True
    for body in (batch(event()), batch(event(userId="null")), batch(event(), event(messageId="b", userId="null"))):
        answer = await client.post("/v1/batch", content=body, headers=BASIC)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 300
        assert answer.json()["code"] == "unavailable"
    assert not ingest.bus.records
    ingest.bus.away = False
    answer = await client.post("/v1/batch", content=batch(event()), headers=BASIC)
    assert answer.json()["results"][0]["status"] == "accepted"


async def test_a_known_key_still_works_while_keys_cannot_be_asked_about(
    client: httpx.AsyncClient, ingest: Ingest
) -> None:
    await client.post("/v1/batch", content=batch(event()), headers=BASIC)
    ingest.keys.away = True
    answer = await client.post("/v1/batch", content=batch(event(messageId="b")), headers=BASIC)
    assert answer.json()["results"][0]["status"] == "accepted"
    unknown = await client.post("/v1/batch", content=batch(event()), headers={"x-write-key": "wk_other"})
    assert (unknown.status_code, "retry-after" in unknown.headers) == (503, True)


@pytest.mark.parametrize(
    "body", [batch(event(properties={"x": "y" * 15_000})), batch(*(event(messageId=f"m{each}") for each in range(20)))]
)
async def test_bytes_in_flight_are_bounded_and_given_back(body: bytes) -> None:
    ingest = Ingest(bytes_in_flight=20_000)  # text, or the records that come of little text
    ingest.bus.gate = asyncio.Event()
    async with client_of(ingest) as client:
        first = asyncio.create_task(client.post("/v1/b", content=body, headers=BASIC))
        await asyncio.sleep(0.1)
        second = await client.post("/v1/b", content=body, headers=BASIC)
        assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (503, "overloaded", "1")
        ingest.bus.gate.set()
        assert (await first).status_code == 200
        assert (await client.post("/v1/b", content=body, headers=BASIC)).status_code == 200
    assert ingest.limits.bytes.taken == 0


async def test_a_sender_that_hangs_up_leaves_nothing_behind() -> None:
    ingest = Ingest()
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/batch", "headers": [(b"x-write-key", KEY.encode())]}
    await ingest.app(scope, receive, send)
    assert ingest.limits.bytes.taken == 0


_bodies = st.binary(max_size=120) | st.builds(
    lambda start, noise: batch(event())[:start] + noise, st.integers(0, 100), st.binary(max_size=20)
)
_headers = st.dictionaries(
    st.sampled_from(
        [
            b"authorization",
            b"ce-id",
            b"ce-subject",
            b"content-encoding",
            b"content-length",
            b"content-type",
            b"traceparent",
            b"x-write-key",
        ]
    ),
    st.binary(max_size=20)
    | st.sampled_from([b"application/cloudevents+json", b"application/cloudevents-batch+json"])
    | st.sampled_from([b"gzip", b"Bearer wk_test", b"Basic d2tfdGVzdDo=", b"99999999999999"]),
)


@given(path=st.sampled_from(sorted(READERS)), body=_bodies, headers=_headers, keyed=st.booleans())
@settings(max_examples=400, deadline=None)
def test_no_bytes_get_anything_but_2xx_4xx_or_503(
    path: str, body: bytes, headers: dict[bytes, bytes], keyed: bool
) -> None:
    async def ask() -> tuple[int, bytes]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        given = headers | ({b"authorization": b"Bearer wk_test"} if keyed else {})
        scope = {"type": "http", "method": "POST", "path": path, "headers": list(given.items())}
        await Ingest().app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    status, said = asyncio.run(ask())
    assert status in {200, 400, 401, 413, 503}
    if status != 200:
        assert {"code", "message"} <= json.loads(said).keys()
