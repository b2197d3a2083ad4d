"""CloudEvents in three modes: as the official SDK writes them, and as nobody should."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.bindings.http import HTTPMessage
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.instants import micros
from services.ingest.domain.cloudevents import read_cloudevents
from services.ingest.domain.reading import Request, Unreadable
from services.ingest.domain.validation import Arrival, judge
from services.ingest.domain.verdicts import Accept, Reject, Verdict
from tests.ingest.makes import KEY, NOW, WORKSPACE, Ingest

PATH = "/v1/cloudevents"
ONE = {"content-type": "application/cloudevents+json; charset=UTF-8"}
MANY = {"content-type": "application/cloudevents-batch+json"}
ARRIVAL = Arrival(WORKSPACE, "app", "product", micros(NOW), lambda: "r")
AT = datetime(2026, 3, 1, 9, 30, 0, 123_456, tzinfo=UTC)


def cloud_event(data: Any = ..., **attributes: Any) -> CloudEvent:
    """A CloudEvent of the SDK; an attribute given as `...` is left out."""
    whole: dict[str, Any] = {
        "id": "A-1",
        "source": "/shop/eu",
        "type": "com.example.report.exported",
        "subject": "user_id:42",
        "time": AT,
        "datacontenttype": "application/json",
        **attributes,
    }
    named = {name: value for name, value in whole.items() if value is not ...}
    return CloudEvent(named, {"rows": 12, "price": 1.1} if data is ... else data)


def written(**fields: Any) -> dict[str, Any]:
    """A CloudEvent in the JSON format; a field given as `...` is left out."""
    whole = json.loads(JSONFormat().write(cloud_event())) | fields
    return {name: value for name, value in whole.items() if value is not ...}


def batched(*events: CloudEvent) -> HTTPMessage:
    return HTTPMessage(dict(MANY), b"[%b]" % b",".join(map(JSONFormat().write, events)))


def read(message: HTTPMessage) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in message.headers.items()]
    return read_cloudevents(message.body, headers)


def verdicts(message: HTTPMessage) -> list[Verdict]:
    return judge(read(message), ARRIVAL)


def structured(event: Any, **headers: str) -> HTTPMessage:
    return HTTPMessage(ONE | headers, event if isinstance(event, bytes) else json.dumps(event).encode())


def stored(verdict: Verdict) -> dict[str, Any]:
    assert isinstance(verdict, Accept), verdict
    body: dict[str, Any] = json.loads(bytes(verdict.touchpoint.body))
    return body


def returned(verdict: Verdict) -> dict[str, Any]:
    """The CloudEvent that an accepted event was, in the JSON format, from what was stored of it."""
    body = stored(verdict)
    of = {"id": "messageId", "type": "event", "time": "timestamp", "data": "properties"}
    attributes: dict[str, Any] = body["context"]["cloudevents"]
    return attributes | {name: body[ours] for name, ours in of.items() if ours in body}


def code(verdict: Verdict) -> str:
    return verdict.rejection.code if isinstance(verdict, Reject) else "accepted"


EVENTS = [
    cloud_event(),
    cloud_event(data={}, id="x" * 100, subject="anonymous_id:a b/ü%41", source="urn:x?y=%20"),
    cloud_event(data={"deep": [{"é": "\u2028😀"}], "n": 9007199254740991, "f": -0.1, "t": True, "z": None}),
    cloud_event(type='Euro € 😀 "quoted" 100% \\', dataschema="https://example.com/s#1", comexampleext="a b"),
    cloud_event(subject="account:acme", partitionkey="p-1"),
    cloud_event(subject="auth0|5f7c8ec7", datacontenttype="application/vnd.shop.v1+json; charset=utf-8"),
]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("mode", [http.to_binary_event, http.to_structured_event, batched])
def test_what_the_official_sdk_sends_is_read_back_unchanged(mode: Any, event: CloudEvent) -> None:
    [verdict] = verdicts(mode(event))
    assert returned(verdict) == json.loads(JSONFormat().write(event))
    assert JSONFormat().read(None, json.dumps(returned(verdict)).encode()).get_attributes() == event.get_attributes()


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_answer_is_that_of_a_batch_in_every_mode(slash: str) -> None:
    ingest = Ingest()
    others = [cloud_event(id="B"), cloud_event(id="C", subject="null"), cloud_event(id="D")]
    for message, statuses in (
        (http.to_binary_event(cloud_event()), ["accepted"]),
        (http.to_structured_event(cloud_event()), ["duplicate"]),
        (batched(cloud_event(), *others), ["duplicate", "accepted", "rejected", "accepted"]),
        (batched(), []),
    ):
        answer = await ingest.post(PATH + slash, message.body, message.headers)
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert [each["status"] for each in answer.json()["results"]] == statuses
    assert [(each.message_id, each.user_id) for each in ingest.bus.touchpoints()] == [
        ("A-1", "42"),
        ("B", "42"),
        ("D", "42"),
    ]


def test_an_event_is_a_track_by_its_type_of_its_subject_at_its_time() -> None:
    [verdict] = verdicts(http.to_binary_event(cloud_event()))
    assert isinstance(verdict, Accept)
    touchpoint = verdict.touchpoint
    assert (touchpoint.type, touchpoint.event) == ("track", "com.example.report.exported")
    assert (touchpoint.message_id, touchpoint.user_id, touchpoint.occurred_at) == ("A-1", "42", AT)
    assert stored(verdict)["properties"] == {"rows": 12, "price": 1.1}
    assert stored(verdict)["context"]["cloudevents"]["source"] == "/shop/eu"


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        ("user_id:42", ("42", None, None)),
        ("42", ("42", None, None)),
        (42, ("42", None, None)),
        ("user_id:a:b", ("a:b", None, None)),
        ("auth0:42", ("auth0:42", None, None)),
        (":42", (":42", None, None)),
        ("anonymous_id:x", (None, "x", None)),
        ("account:acme", (None, None, "acme")),
    ],
)
def test_a_subject_names_a_user_unless_it_says_otherwise(subject: Any, named: tuple[str | None, ...]) -> None:
    [verdict] = verdicts(structured(written(subject=subject)))
    assert isinstance(verdict, Accept), verdict
    touchpoint = verdict.touchpoint
    assert (touchpoint.user_id, touchpoint.anonymous_id, touchpoint.group_id) == named


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (written(data=...), "accepted"),
        (written(data=None), "accepted"),
        (written(data=..., datacontenttype="text/plain"), "accepted"),
        (written(datacontenttype=...), "accepted"),
        (written(datacontenttype=None, dataschema=None), "accepted"),
        (written(datacontenttype="text/json"), "accepted"),
        (written(datacontenttype="Application/LD+JSON;profile=x"), "accepted"),
        (written(time=...), "accepted"),
        (written(time=None), "accepted"),
        (written(specversion=...), "specversion_unsupported"),
        (written(specversion="0.3"), "specversion_unsupported"),
        (written(specversion=1.0), "specversion_unsupported"),
        (written(id=...), "attribute_missing"),
        (written(id=None), "attribute_missing"),
        (written(id=""), "attribute_missing"),
        (written(id=7), "attribute_missing"),
        (written(type=...), "attribute_missing"),
        (written(source=""), "attribute_missing"),
        (written(source={}), "attribute_missing"),
        (written(id="x" * 101), "message_id_invalid"),
        (written(id="a\tb"), "message_id_invalid"),
        (written(type=" "), "event_missing"),
        (written(subject=...), "id_missing"),
        (written(subject=None), "id_missing"),
        (written(subject="user_id:"), "id_missing"),
        (written(subject="account:"), "id_missing"),
        (written(subject="user_id:null"), "id_illegal"),
        (written(subject="account:0"), "id_illegal"),
        (written(subject=["42"]), "id_invalid"),
        (written(subject="email:ana@example.com"), "subject_unsupported"),
        (written(time="2026-03-01"), "timestamp_invalid"),
        (written(time=7), "timestamp_invalid"),
        (written(time="2026-03-05T00:00:00Z"), "timestamp_in_future"),
        (written(time="1999-01-01T00:00:00Z"), "timestamp_out_of_range"),
        (written(data=[1]), "properties_not_object"),
        (written(data="text"), "properties_not_object"),
        (written(data="<a/>", datacontenttype="application/xml"), "data_not_json"),
        (written(data={}, datacontenttype="application/jsonp"), "data_not_json"),
        (written(data=..., data_base64="AAE="), "data_not_json"),
        (written(data_base64=None), "accepted"),
        (written(data={"n": "\x00"}), "nul_character"),
        (written(data={"n": "\ud800"}), "lone_surrogate"),
        (written(data={"n": 2**53}), "number_out_of_range"),
        (written(data={"n": "x" * 33_000}), "event_too_large"),
        (written(**{f"x{n}": "" for n in range(600)}), "too_many_keys"),
        (written(nested={"a": {"b": [1]}}), "accepted"),
        (7, "not_an_object"),
        (None, "not_an_object"),
        ([], "not_an_object"),
    ],
)
def test_a_bad_event_refuses_itself_alone_and_says_why(event: Any, expected: str) -> None:
    good = written(id="good")
    found = verdicts(HTTPMessage(MANY, json.dumps([good, event, good | {"id": "last"}]).encode()))
    assert [code(each) for each in found] == ["accepted", expected, "accepted"]
    if isinstance(event, dict) and isinstance(event.get("id"), str) and isinstance(found[1], Reject):
        assert found[1].rejection.message_id in {event["id"], None}
        assert found[1].type == "track"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'"n":1e400', "number_inexact"),
        (b'"n":0.1000000000000000055', "number_inexact"),
        (b'"n":%b%b' % (b"[" * 31, b"]" * 31), "too_deep"),
        (b'"n":%b%b' % (b"[" * 20_00, b"]" * 20_00), "too_deep"),
        (b'"n":1,"n":2', "duplicate_key"),
        (b'"n":1.10,"m":1E5,"k":-0.0', "accepted"),
    ],
)
def test_data_is_kept_digit_for_digit_or_refused(raw: bytes, expected: str) -> None:
    event = json.dumps(written(data="DATA")).encode().replace(b'"DATA"', b"{%b}" % raw)
    [verdict] = verdicts(structured(event))
    assert code(verdict) == expected
    if isinstance(verdict, Accept):
        assert b'"properties":{%b}' % raw in bytes(verdict.touchpoint.body)


def test_an_attribute_that_is_there_twice_refuses_the_event() -> None:
    twice = json.dumps(written()).encode()[:-1] + b',"id":"other"}'
    assert [code(each) for each in verdicts(structured(twice))] == ["duplicate_key"]
    message = http.to_binary_event(cloud_event())
    headers = [(name.encode(), value.encode()) for name, value in message.headers.items()]
    for name, value in ((b"ce-id", b"other"), (b"ce-datacontenttype", b"application/json"), (b"ce-data", b"{}")):
        [verdict] = judge(read_cloudevents(message.body, [*headers, (name, value)]), ARRIVAL)
        assert code(verdict) == "duplicate_key", name


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41bc", "Abc"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%2541", "%41"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        ('"%41"', "A"),
        ('a"b', 'a"b'),
        ('{"a":1}', '{"a":1}'),
        ("plain text", "plain text"),
        ("€", "€"),
    ],
)
def test_header_values_are_unquoted_and_percent_decoded_once(sent: str, meant: str) -> None:
    message = http.to_binary_event(cloud_event())
    message.headers["ce-comexample"] = sent
    [verdict] = verdicts(message)
    assert stored(verdict)["context"]["cloudevents"]["comexample"] == meant


@pytest.mark.parametrize("name", ["ce-id", "ce-subject", "ce-type", "ce-ext"])
@pytest.mark.parametrize("text", ["%C0%A0", "%ff", "%ED%A0%80"])
def test_headers_that_are_not_utf8_cannot_be_read(name: str, text: str) -> None:
    message = http.to_binary_event(cloud_event())
    message.headers[name] = text
    with pytest.raises(Unreadable) as refused:
        read(message)
    assert (refused.value.status, refused.value.code) == (400, "not_utf8")


def test_a_character_that_is_refused_in_json_is_refused_in_a_header() -> None:
    for name, expected in (("ce-subject", "nul_character"), ("ce-ext", "nul_character")):
        message = http.to_binary_event(cloud_event())
        message.headers[name] = "a%00"
        assert [code(each) for each in verdicts(message)] == [expected]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"content-type": "application/json"}, b"{}", "cloudevent_missing"),
        ({}, b"{}", "cloudevent_missing"),
        ({"content-type": "application/cloudevents+avro"}, b"{}", "format_unsupported"),
        ({"content-type": "application/cloudevents"}, b"{}", "format_unsupported"),
        ({"content-type": "application/cloudevents-batch+xml"}, b"[]", "format_unsupported"),
        (ONE, b"[]", "not_an_object"),
        (ONE, b"", "not_json"),
        (ONE, b"{", "not_json"),
        (ONE, b"\xff", "not_utf8"),
        (MANY, b"{}", "not_an_array"),
        (MANY, b"[", "not_json"),
        (MANY, b"[{}] x", "not_json"),
        (MANY, b"[%b]" % b",".join([b"{}"] * 2_501), "too_many_events"),
        ({"ce-id": "1", "content-type": "application/json"}, b"{", "not_json"),
        ({"ce-id": "1", "content-type": "application/json"}, b"\xff", "not_utf8"),
        ({"ce-id": "1"}, b"<a/>", "not_json"),
    ],
)
async def test_what_cannot_be_read_is_a_4xx_with_code_and_message(
    headers: dict[str, str], body: bytes, expected: str
) -> None:
    ingest = Ingest()
    answer = await ingest.post(PATH, body, headers)
    assert answer.status_code == (413 if expected == "too_many_events" else 400)
    assert (answer.json()["code"], bool(answer.json()["message"])) == (expected, True)
    assert not ingest.bus.records


@pytest.mark.parametrize("body", [b"<a>\xc3\xa9</a>", bytes(range(256)), b'{"a":1}'])
async def test_data_that_is_no_json_is_a_verdict_in_binary_mode_and_is_kept(body: bytes) -> None:
    message = http.to_binary_event(cloud_event(datacontenttype="application/octet-stream", data=body))
    [verdict] = verdicts(HTTPMessage(message.headers, body))
    assert isinstance(verdict, Reject)
    assert (verdict.rejection.code, verdict.rejection.message_id) == ("data_not_json", "A-1")
    kept = json.loads(verdict.rejection.payload)
    assert (kept["data"].encode() if "data" in kept else base64.b64decode(kept["data_base64"])) == body


def test_binary_mode_without_a_body_has_no_data() -> None:
    for headers in ({}, {"content-type": "text/plain"}):
        names = {"ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0", "ce-subject": "42"}
        [verdict] = verdicts(HTTPMessage(names | headers, b""))
        assert stored(verdict)["properties"] == {}


async def test_the_write_key_comes_in_every_place_and_is_kept_nowhere() -> None:
    message = http.to_binary_event(cloud_event())
    for headers, body in (
        ({"authorization": f"Bearer {KEY}", **message.headers}, message.body),
        (ONE, json.dumps(written(writeKey=KEY)).encode()),
        (MANY, json.dumps([written(writeKey=KEY), written(writeKey=KEY, data={"n": "\x00"})]).encode()),
    ):
        ingest = Ingest()
        answer = await ingest.post(PATH, body, {"x-write-key": "", **headers})
        assert answer.status_code == 200, answer.text
        assert KEY.encode() not in b"".join(each.value for each in ingest.bus.records)
    unknown = await Ingest().post(PATH, message.body, {**message.headers, "x-write-key": ""})
    assert (unknown.status_code, unknown.json()["code"]) == (401, "invalid_write_key")


async def test_one_id_with_another_payload_is_told() -> None:
    ingest = Ingest()
    for data in ({"n": 1}, {"n": 2}):
        message = http.to_structured_event(cloud_event(data=data))
        answer = await ingest.post(PATH, message.body, message.headers)
    assert answer.json()["results"][0]["code"] == "payload_differs"


_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=10,
)


@given(_text, _text, _text, st.dictionaries(_text, _values, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_mode_says_the_same_of_one_event(
    id_: str, type_: str, extension: str, data: dict[str, Any], named: bool
) -> None:
    subject = f"user_id:{id_}" if named else id_
    event = cloud_event(data=data, id=id_, type=type_, subject=subject, comexample=extension)
    found = [verdicts(mode(event))[0] for mode in (http.to_binary_event, http.to_structured_event, batched)]
    assert len({code(each) for each in found}) == 1
    if isinstance(found[0], Accept):
        assert all(returned(each) == json.loads(JSONFormat().write(event)) for each in found)
        assert len({each.touchpoint.payload_hash for each in found if isinstance(each, Accept)}) == 1


_headers = st.dictionaries(
    st.sampled_from(["ce-id", "ce-type", "ce-source", "ce-specversion", "ce-subject", "ce-x", "content-type", "ce-"]),
    st.binary(max_size=12)
    | st.sampled_from([b"1.0", b"application/json", *(v.encode() for v in (*ONE.values(), *MANY.values()))]),
)


@given(_headers, st.binary(max_size=40) | st.just(b"{}") | st.just(json.dumps([written(), 1]).encode()))
@settings(max_examples=500, deadline=None)
def test_no_bytes_get_anything_but_verdicts_or_a_400(headers: dict[str, bytes], body: bytes) -> None:
    try:
        request = read_cloudevents(body, [(name.encode(), value) for name, value in headers.items()])
    except Unreadable as refused:
        status = refused.status
    else:
        status = 200 if len(judge(request, ARRIVAL)) == len(request.events) else 500
    assert status in {200, 400}
