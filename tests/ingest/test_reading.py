"""Nasty bytes: what cannot be read is refused whole, what can be read gets a verdict, what is accepted is unchanged."""

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.instants import micros
from services.ingest.domain import reading
from services.ingest.domain.faithful import Unfaithful, careful, quick
from services.ingest.domain.outline import NotJson, outline
from services.ingest.domain.reading import Unreadable, inflated, read_batch, read_single
from services.ingest.domain.validation import Arrival, judge
from services.ingest.domain.verdicts import Accept, Reject
from tests.ingest.makes import NOW, WORKSPACE

ARRIVAL = Arrival(WORKSPACE, "app", "product", micros(NOW), lambda: "r")
GOOD = b'{"type":"track","event":"A","userId":"42","messageId":"good"}'


def read(body: bytes, type_: Any) -> reading.Request:
    """A batch, or a single event of a type."""
    return read_single(body, type_) if type_ else read_batch(body)


def whole(inner: bytes) -> bytes:
    """A single event whose `properties` hold `inner`."""
    return b'{"type":"track","event":"A","userId":"42","messageId":"m","properties":{"p":%b}}' % inner


UNREADABLE = [
    (b"", "not_json"),
    (b" ", "not_json"),
    (b"nul", "not_json"),
    (b"null", "not_an_object"),
    (b"1", "not_an_object"),
    (b'"text"', "not_an_object"),
    (b"[]", "not_an_object"),
    (b"[" * 200_000, "not_json"),
    (b"[" * 2_000 + b"]" * 2_000, "not_an_object"),
    (b"{" * 2_000, "not_json"),
    (b"{}{}", "not_json"),
    (b"{} x", "not_json"),
    (b"{,}", "not_json"),
    (b'{"a"}', "not_json"),
    (b'{"a":}', "not_json"),
    (b'{"a":1,}', "not_json"),
    (b'{"a":1 "b":2}', "not_json"),
    (b"{'a':1}", "not_json"),
    (b"{a:1}", "not_json"),
    (b"{1:1}", "not_json"),
    (b'{"a":1]', "not_json"),
    (b'{"a":[1}', "not_json"),
    (b'{"a":[1,]}', "not_json"),
    (b'{"a":[,1]}', "not_json"),
    (b'{"a":[1 2]}', "not_json"),
    (b'{"a":01}', "not_json"),
    (b'{"a":1.}', "not_json"),
    (b'{"a":.5}', "not_json"),
    (b'{"a":+1}', "not_json"),
    (b'{"a":-}', "not_json"),
    (b'{"a":1e}', "not_json"),
    (b'{"a":0x10}', "not_json"),
    (b'{"a":NaN}', "not_json"),
    (b'{"a":Infinity}', "not_json"),
    (b'{"a":-Infinity}', "not_json"),
    (b'{"a":True}', "not_json"),
    (b'{"a":undefined}', "not_json"),
    (b'{"a":"\\x41"}', "not_json"),
    (b'{"a":"\\u12g4"}', "not_json"),
    (b'{"a":"\\u12"}', "not_json"),
    (b'{"a":"\x01"}', "not_json"),
    (b'{"a":"\n"}', "not_json"),
    (b'{"a":"\x00"}', "not_json"),
    (b'{"a":"b', "not_json"),
    (b'{"a":1}\x00', "not_json"),
    (b"\xef\xbb\xbf{}", "not_json"),
    (b'{"a":1} // comment', "not_json"),
    (b'{"a":1/**/}', "not_json"),
    (b'{"a":\xa01}', "not_utf8"),
    ('{"a":\u00a01}'.encode(), "not_json"),
    (b"\xff\xfe{\x00}\x00", "not_utf8"),
    ('{"a":1}'.encode("utf-16-le"), "not_json"),
    ('{"a":1}'.encode("utf-16"), "not_utf8"),
    ('{"a":1}'.encode("utf-32-be"), "not_json"),
    (b'{"a":"\xff"}', "not_utf8"),
    (b'{"a":"\xc0\xaf"}', "not_utf8"),
    (b'{"a":"\xed\xa0\x80"}', "not_utf8"),
    (b'{"a":"\xf4\x90\x80\x80"}', "not_utf8"),
    (b'{"a":"\xc3"}', "not_utf8"),
    (b"\x1f\x8b\x08\x00", "not_utf8"),
]
NO_BATCH = [
    (b"{}", "batch_missing"),
    (b'{"batch":null}', "batch_missing"),
    (b'{"batch":{}}', "batch_missing"),
    (b'{"batch":"x"}', "batch_missing"),
    (b'{"events":[]}', "batch_missing"),
    (b'{"Batch":[]}', "batch_missing"),
    (b'{"a":{"batch":[]}}', "batch_missing"),
    (b'{"batch":[],"batch":[]}', "duplicate_key"),
    (b'{"batch":[%b],"batch":[{}]}' % GOOD, "duplicate_key"),
    (b'{"batch":[%b],"\\u0062atch":[%b]}' % (GOOD, GOOD), "duplicate_key"),
    (b'{"batch":[%b],"context":{},"context":{}}' % GOOD, "duplicate_key"),
    (b'{"batch":[%b],"sentAt":"","sentAt":""}' % GOOD, "duplicate_key"),
]
REFUSED = [
    (whole(b'"\\u0000"'), "nul_character"),
    (whole(b'{"\\u0000":1}'), "nul_character"),
    (whole(b'"\\ud800"'), "lone_surrogate"),
    (whole(b'"\\udc00\\ud800"'), "lone_surrogate"),
    (whole(b'{"\\udfff":1}'), "lone_surrogate"),
    (whole(b'"\\ud83d x"'), "lone_surrogate"),
    (whole(b'{"a":1,"a":2}'), "duplicate_key"),
    (whole(b'{"a":1,"\\u0061":2}'), "duplicate_key"),
    (whole(b'{"a:":1,"a\\u003a":2}'), "duplicate_key"),
    (whole(b'[{"a":":","a":1}]'), "duplicate_key"),
    (GOOD[:-1] + b',"userId":"43"}', "duplicate_key"),
    (whole(b"9007199254740992"), "number_out_of_range"),
    (whole(b"-9007199254740992"), "number_out_of_range"),
    (whole(b"18446744073709551616"), "number_out_of_range"),
    (whole(b"1" * 5_000), "number_out_of_range"),
    (whole(b"1e400"), "number_inexact"),
    (whole(b"-1e400"), "number_inexact"),
    (whole(b"1e-400"), "number_inexact"),
    (whole(b"1e999999999999999999999999"), "number_inexact"),
    (whole(b"0.1000000000000000055"), "number_inexact"),
    (whole(b"9007199254740993.0"), "number_inexact"),
    (whole(b"[" * 31 + b"]" * 31), "too_deep"),
    (whole(b"[" * 5_000 + b"]" * 5_000), "too_deep"),
    (whole(b'{"a":' * 3_000 + b"1" + b"}" * 3_000), "too_deep"),
    (whole(json.dumps({str(n): n for n in range(501)}).encode()), "too_many_keys"),
    (whole(b'{"%b":1}' % (b"k" * 257)), "key_too_long"),
    (whole(b'{"%s":1}' % ("é" * 129).encode()), "key_too_long"),
    (whole(b'"%b"' % (b"x" * 32_768)), "event_too_large"),
]
FAITHFUL = [
    whole(b"9007199254740991"),
    whole(b"-9007199254740991"),
    whole(b"-0"),
    whole(b"-0.0"),
    whole(b"1.10"),
    whole(b"1E5"),
    whole(b"0e10"),
    whole(b"5e-324"),
    whole(b"1.7976931348623157e308"),
    whole(b"123456789012345680000.0"),
    whole(b"[" * 30 + b"]" * 30),
    whole(b'"\\ud83d\\ude00"'),
    whole(b'"\\\\u0000"'),
    whole(b'"\\u007f\x7f\xc2\x80"'),
    whole(b'{"":1}'),
    whole(b'{"__proto__":{"constructor":1}}'),
    whole(b'{"a:b":":::","c\\u003a":":"}'),
    whole(b'{"%b":1}' % (b"k" * 256)),
    whole(json.dumps({str(n): n for n in range(500)}).encode()),
    whole(b'"\xf0\x9f\x98\x80 \xe2\x80\xa8 \xef\xbf\xbf"'),
    whole(b'"batch"'),
    whole(b'[{"batch":[1]}]'),
    b' \t\r\n{ "type" : "track" , "event":"A","userId":"42","messageId":"m","properties":{} } \n',
]


def test_the_corpus_is_large() -> None:
    assert len(UNREADABLE) + len(NO_BATCH) + len(REFUSED) + len(FAITHFUL) >= 100


@pytest.mark.parametrize(("body", "code"), UNREADABLE)
def test_what_cannot_be_read_is_refused_whole(body: bytes, code: str) -> None:
    for type_ in ("track", None):
        with pytest.raises(Unreadable) as refused:
            read(body, type_)
        assert (refused.value.status, refused.value.code) == (400, code)


@pytest.mark.parametrize(("body", "code"), NO_BATCH)
def test_a_batch_is_one_array(body: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_batch(body)
    assert refused.value.code == code


@pytest.mark.parametrize(("event", "code"), REFUSED)
def test_what_cannot_be_kept_refuses_its_own_event_only(event: bytes, code: str) -> None:
    verdicts = judge(read_batch(b'{"batch":[%b,%b,%b]}' % (GOOD, event, GOOD)), ARRIVAL)
    assert [type(each) for each in verdicts] == [Accept, Reject, Accept]
    [alone] = judge(read_single(event, "track"), ARRIVAL)
    for verdict in (verdicts[1], alone):
        assert isinstance(verdict, Reject)
        assert verdict.rejection.code == code
        assert verdict.rejection.message_id in {"m", "good"}
        verdict.rejection.payload.encode()


@pytest.mark.parametrize("event", FAITHFUL)
def test_what_is_accepted_is_kept_as_it_was_sent(event: bytes) -> None:
    for request in (read_single(event, "track"), read_batch(b'{"batch":[%b]}' % event)):
        [verdict] = judge(request, ARRIVAL)
        assert isinstance(verdict, Accept), verdict
        assert bytes(verdict.touchpoint.body) == event.strip()


@pytest.mark.parametrize("event", [b"null", b"1", b'"x"', b"[]", b"true"])
def test_an_event_that_is_no_object_is_refused_alone(event: bytes) -> None:
    verdicts = judge(read_batch(b'{"batch":[%b,%b]}' % (event, GOOD)), ARRIVAL)
    assert isinstance(verdicts[0], Reject)
    assert verdicts[0].rejection.code == "not_an_object"
    assert isinstance(verdicts[1], Accept)


def test_limits_of_a_batch() -> None:
    assert len(read_batch(b'{"batch":[%b]}' % b",".join([b"{}"] * 2_500)).events) == 2_500
    with pytest.raises(Unreadable, match="2500 events"):
        read_batch(b'{"batch":[%b]}' % b",".join([b"{}"] * 2_501))
    with pytest.raises(Unreadable) as refused:
        context = b'{"a":"%b"}' % (b"x" * 30_000)
        read_batch(b'{"batch":[%b],"context":%b}' % (b",".join([b"{}"] * 2_500), context))
    assert refused.value.code == "batch_too_large"


def test_a_gzip_bomb_is_stopped_while_it_inflates() -> None:
    with pytest.raises(Unreadable) as refused:
        inflated(gzip.compress(b" " * 100_000_000), "gzip")
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (b"{}", "gzip", "gzip_broken"),
        (gzip.compress(b"{}")[:-1], "gzip", "gzip_broken"),
        (gzip.compress(b"{}")[:-8] + b"\0" * 8, "gzip", "gzip_broken"),
        (gzip.compress(b"{}") + b"trailing", "gzip", "gzip_broken"),
        (b"{}", "br", "encoding_unsupported"),
        (b"{}", "gzip, gzip", "encoding_unsupported"),
        (b"{}" + b" " * reading.BODY_BYTES, "", "body_too_large"),
    ],
)
def test_broken_encodings_are_refused(body: bytes, encoding: str, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        inflated(body, encoding)
    assert refused.value.code == code


def test_gzip_comes_back_members_and_all() -> None:
    assert inflated(gzip.compress(b'{"a"') + gzip.compress(b":1}"), "GZIP") == b'{"a":1}'
    assert inflated(b"", "gzip") == b""


_texts = st.text(max_size=8) | st.sampled_from(["a:b", ":", "\x00", "\ud800", "😀", '"', "\\"])
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _texts
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4), max_leaves=20
)


@given(_json, st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_the_quick_look_never_accepts_what_the_careful_one_refuses(value: Any, ascii_only: bool, compact: bool) -> None:
    text = json.dumps({"v": value}, ensure_ascii=ascii_only, separators=(",", ":") if compact else None)
    raw = text.encode("utf-8", "replace")
    try:
        outline(raw)
    except NotJson:
        return
    quickly, carefully = quick(raw), careful(raw)
    if quickly is not None:
        assert quickly == carefully
    if not isinstance(carefully, Unfaithful):
        again = json.loads(raw, parse_float=Decimal)
        assert json.loads(json.dumps(carefully), parse_float=Decimal) == again


_fragments = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"batch"',
            b'"a"',
            b"1",
            b"1e400",
            b"null",
            b" ",
            b'"\\ud800"',
            b"\\",
            GOOD,
        ]
    ),
    max_size=30,
).map(b"".join)


@given(st.binary(max_size=200) | _fragments)
@settings(max_examples=600, deadline=None)
def test_every_byte_string_gets_verdicts_or_a_4xx(body: bytes) -> None:
    for type_, encoding in (("track", ""), (None, ""), (None, "gzip")):
        try:
            request = read(inflated(body, encoding), type_)
        except Unreadable as refused:
            status = refused.status
        else:
            status = 200 if len(judge(request, ARRIVAL)) == len(request.events) else 500
        assert status in {200, 400, 413}


@given(st.binary(max_size=60) | _fragments)
@settings(max_examples=600, deadline=None)
def test_the_outline_accepts_exactly_what_is_json(text: bytes) -> None:
    def refuse(_constant: str) -> Any:
        raise ValueError

    try:
        json.loads(text.decode(), parse_constant=refuse)
        valid = True
    except ValueError:
        valid = False
    try:
        outline(text)
        assert valid
    except NotJson:
        assert not valid


@given(
    st.lists(
        _json.map(lambda value: {"type": "track", "event": "A", "userId": "1", "properties": {"v": value}}), max_size=5
    )
)
@settings(max_examples=200, deadline=None)
def test_an_accepted_event_reads_back_digit_for_digit(events: list[Any]) -> None:
    body = json.dumps({"batch": events, "sentAt": "x"}).encode()
    try:
        request = read_batch(body)
    except Unreadable:
        return
    for each, verdict in zip(events, judge(request, ARRIVAL), strict=True):
        if isinstance(verdict, Accept):
            assert bytes(verdict.touchpoint.body) == json.dumps(each).encode()
