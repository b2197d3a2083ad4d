"""The express lane's law: what it takes, the rules would have accepted, byte for byte.

Broken on purpose in 39 ways, each turned a test of this file red: keys unsorted, or there twice; half of a surrogate
pair, U+0000, a control character, bytes that are no UTF-8, an unknown escape, an escape written otherwise, a zero
before a number, something after the body; a level, a member, a byte of a key, of an id, of an event, or an event more
than may be; fractions of any length, or so small that they have an exponent, or with their zeros; an integer beyond
2^53−1, minus zero; an id that is `guest`, or `00-0`, or has space around it; a name of space; the account of a group;
an event without a type, the older timestamp, the later than a day, the before 2000, the offset's sign, history from
its limit on; a clock a minute ahead; `sentAt` or `_metadata` in the hash; a write key in the body; the top's key
twice, or its context.
"""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain import express
from services.ingest.domain.express import Form
from services.ingest.domain.verdicts import Accept
from tests.ingest import odd
from tests.ingest.corpus import corpus
from tests.ingest.lanes import ROLES, SOURCES, Body, Lanes, Said, arrived, both, damaged, sdk_bodies
from tests.ingest.makes import KEY, batch, event

pytestmark = pytest.mark.skipif(not express.IS_OPEN, reason="NO EXPRESS LANE, NOTHING HERE WAS RUN: cargo is missing")
_MANY = settings(max_examples=150, deadline=None)


def alike(body: bytes, form: Form = "batch", type_: Any = None, role: Any = "product", source: str = "app") -> Lanes:
    """Both lanes say the same."""
    lanes = both(body, form, type_, arrived(role, source))
    assert lanes.express == lanes.rules, body
    if isinstance(lanes.express, Said) and isinstance(lanes.rules, Said):
        assert [type(each) for each in lanes.express.verdicts] == [type(each) for each in lanes.rules.verdicts]
    return lanes


def single(value: bytes) -> bytes:
    """A good event whose properties hold a value."""
    return b'{"type":"track","event":"A","userId":"42","messageId":"m","properties":{"p":%b}}' % value


def is_taken(text: bytes) -> bool:
    return alike(text, "single", "track").taken == 1


@pytest.mark.parametrize("body", sdk_bodies(), ids=lambda body: f"{body.sdk}-{body.form}-{body.type_}")
def test_every_event_of_an_sdk_is_taken(body: Body) -> None:
    for role in ROLES:
        for source in SOURCES:
            lanes = alike(body.text, body.form, body.type_, role, source)
            assert isinstance(lanes.express, Said)
            assert lanes.taken == lanes.express.events > 0
            assert all(KEY.encode() not in each.record for each in lanes.express.verdicts if isinstance(each, Accept))


def test_damaged_bodies_are_judged_alike() -> None:
    taken = Counter(min(alike(each.text, each.form, each.type_).taken, 1) for each in damaged(sdk_bodies(), 7, 4_000))
    assert taken[0] > 500
    assert taken[1] > 500


def test_the_whole_corpus_is_judged_alike() -> None:
    taken, count = 0, 0
    for case in corpus(KEY):
        head, _, body = b"".join(each for each in case.pieces if isinstance(each, bytes)).partition(b"\r\n\r\n")
        if len(body) > 60_000:
            continue
        count += 1
        batches = any(head.startswith(b"POST " + each) for each in (b"/v1/b", b"/v1/import"))
        taken += alike(body).taken if batches else alike(body, "single", "track").taken
        taken += alike(body, "events").taken
    assert count > 2_000
    assert taken > 2_000


_IDS: list[Any] = [
    *(
        "42",
        "a b",
        "é",
        "",
        None,
        0,
        -1,
        7,
        -7,
        1.5,
        True,
        [],
        {},
        "null",
        " GUEST ",
        "00-00",
        "--",
        "-2",
        "x" * 256,
    ),
    *("x" * 256, "x" * 257, "[object Object]", 'a"b', "a\\b", "a\tb", "\x7f", "NaN", "Undefined", "tRue", 2**53),
    *("1e5", "   "),
]
_ids = st.sampled_from(_IDS)
_MESSAGE_IDS = ["m", "", None, 7, "é", "x" * 100, "x" * 101, "a\nb", " ", 'q"', "\x7f"]
_objects: st.SearchStrategy[Any] = st.sampled_from([None, {}, {"a": 1}, [], "x", 0])
_INSTANTS: list[Any] = [
    *(None, "", "x", 0, "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z", "2026-03-01T12:01:00.000001Z"),
    *("2026-03-02T12:00:00Z", "2026-03-02T12:00:00.000001Z", "1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z"),
    *("2000-01-01T00:00:00+00:01", "2026-02-28T12:00:00Z", "2026-02-28T11:59:59.999999Z", "2026-02-26T12:00:00Z"),
    *("2026-02-26T11:59:59.9999999Z", "2026-03-01t12:00:00z", "2026-02-29T00:00:00Z", "2024-02-29T23:59:59-23:59"),
    *(
        "2026-03-01T12:00:00.123456789+05:30",
        "2026-03-01T12:00:60Z",
        "2026-03-01 12:00:00Z",
        "2027-03-03T00:00:00Z",
    ),
    *(
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:00.1234567890Z",
        "9999-12-31T23:59:59Z",
        "2026-03-01T12:00:00-24:00",
    ),
]
_IN_TIME = ["2000-01-01T00:00:00Z", "2026-02-28T11:59:59.999999Z", "2026-03-02T12:00:00Z", "2024-02-29T23:59:59-23:59"]
_instants = st.sampled_from(_INSTANTS)
_fields: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias", None, "Track", "", 7]),
    "event": st.sampled_from(["A", "Ação", "注文", " ", "\u2003", "", None, 7, '"', "\x1f", "\x85a", "½"]),
    **dict.fromkeys(("userId", "anonymousId", "groupId", "previousId"), _ids),
    "messageId": st.sampled_from(_MESSAGE_IDS),
    **dict.fromkeys(("timestamp", "originalTimestamp"), _instants),
    **dict.fromkeys(("properties", "traits"), _objects),
    "context": _objects | st.fixed_dictionaries({"groupId": _ids}),
    "integrations": _objects,
    "writeKey": st.sampled_from(["wk_test", "wk_other", "é", "", None, 7, 'a"']),
    "_metadata": _objects,
    "x\n\u2028": _objects,
}


@given(
    st.lists(st.fixed_dictionaries({}, optional={**_fields, "sentAt": _instants}), min_size=1, max_size=3),
    st.fixed_dictionaries({}, optional={"sentAt": _instants, "writeKey": _fields["writeKey"], "context": _objects}),
    st.sampled_from(ROLES),
    st.booleans(),
    st.booleans(),
)
@_MANY
def test_whatever_the_members_say_both_lanes_agree(
    drawn: list[dict[str, Any]], top: dict[str, Any], role: Any, ascii_only: bool, packed: bool
) -> None:
    events = [event(anonymousId="a") | each for each in drawn]
    separators = (",", ":") if packed else None
    for odds in range(2):
        some = [dict(list(each.items())[: 6 + odds * 9]) for each in events]
        body = json.dumps({"batch": some, **top}, ensure_ascii=ascii_only, separators=separators).encode()
        alike(body, "batch", None, role)
        alike(json.dumps(some, ensure_ascii=ascii_only).encode(), "events", None, role)
    alike(json.dumps(events[0], separators=separators).encode(), "single", "group", role)


@given(st.lists(odd.events(), max_size=4), st.none() | odd.objects(odd.values) | st.just(b"null"), odd.spaces)
@_MANY
def test_odd_texts_are_judged_alike(events: list[bytes], context: bytes | None, space: bytes) -> None:
    array = odd.spaced(b"[", events, b"]", space)
    tops = [b'"batch"' + space + b":" + array, *([] if context is None else [b'"context":' + context])]
    alike(odd.spaced(b"{", tops, b"}", space))
    alike(array, "events")
    for each in events:
        alike(each, "single", "track")


@given(odd.objects(odd.values), odd.spaces)
@_MANY
def test_odd_properties_are_judged_alike(properties: bytes, space: bytes) -> None:
    alike(space + single(properties) + space, "single", "track")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e6, 1e6), st.integers(0, 17))
@_MANY
def test_numbers_are_hashed_alike(number: float, decimals: int) -> None:
    alike(single(f"[{number!r},{number:.{decimals}f},{round(number, decimals)!r}]".encode()), "single", "track")


@given(st.integers(0, 2**53), st.integers(1, 20))
@_MANY
def test_numbers_between_two_shortest_texts_are_hashed_alike(odd_number: int, places: int) -> None:
    number = (2 * odd_number + 1) / 2**places
    alike(single(b"[%b]" % ",".join((repr(number), f"{number:.20f}", f"{number:.16g}")).encode()), "single", "track")


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (b"[" * 30 + b"]" * 30, True),
        (b"[" * 31 + b"]" * 31, False),
        (b'{"a":' * 30 + b"1" + b"}" * 30, True),
        (b'{"a":' * 31 + b"1" + b"}" * 31, False),
        (json.dumps({str(n): n for n in range(500)}).encode(), True),
        (json.dumps({str(n): n for n in range(501)}).encode(), False),
        (b'{"%b":1}' % (b"k" * 256), True),
        (b'{"%b":1}' % (b"k" * 257), False),
        (b"[9007199254740991,-9007199254740991]", True),
        (b"9007199254740992", False),
        (b"[0.1,-0.0,100.50,0.001,123456789012345.5,0.30000000000000004]", True),
        (b"0.1000000000000000055", False),
        (b"1e5", False),
        (b'{"z":1,"a":{"y":1,"x":2},"\\u00e9":3,"b":4,"aa":5,"":6,"A":7}', True),
        (b'{"a":1,"a":2}', False),
        (b'{"a":1,"\\u0061":2}', False),
        (b'"\\u00e9 \\ud83d\\ude00 \\/ \\b\\f\\n\\r\\t \\u001f\\u0008 \\u007f\\u2028"', True),
        (b'"\\ud83d"', False),
        (b'"\\u0000"', False),
    ],
)
def test_the_border_of_what_is_taken(value: bytes, taken: bool) -> None:
    assert is_taken(single(value)) == taken


@pytest.mark.parametrize("size", [32_767, 32_768, 32_769])
def test_an_event_is_taken_up_to_its_limit(size: int) -> None:
    text = single(b'"%b"' % (b"x" * (size - len(single(b'""')))))
    assert is_taken(text) == (size <= 32_768)


@pytest.mark.parametrize("count", [0, 1, 2_500, 2_501])
def test_a_batch_is_taken_up_to_its_limit(count: int) -> None:
    assert alike(b'{"batch":[%b]}' % b",".join([b'{"type":"page","userId":"1"}'] * count)).taken == count % 2_501


@pytest.mark.parametrize(
    ("name", "taken"),
    [("A", 1), ("é", 1), ("注文", 1), (" A\n", 1), ("", 0), (" ", 0), ("\x1f", 0), ("\n\t", 0), ("\u2003", 0)],
)
def test_a_name_is_taken_if_it_is_more_than_space(name: str, taken: int) -> None:
    for text in (batch(event(event=name)), json.dumps({"batch": [event(event=name)]}, ensure_ascii=False).encode()):
        assert alike(text).taken == taken


@pytest.mark.parametrize("role", ROLES)
def test_the_borders_of_time_are_the_same(role: Any) -> None:
    for name in ("timestamp", "originalTimestamp", "sentAt"):
        for at in _INSTANTS:
            alike(batch(event(**{name: at})), "batch", None, role)
    assert alike(batch(*(event(timestamp=at) for at in _IN_TIME)), "batch", None, role).taken == len(_IN_TIME)


def test_the_borders_of_ids_are_the_same() -> None:
    for id_ in _MESSAGE_IDS:
        alike(batch(event(messageId=id_)))
    for id_ in _IDS:
        for name in ("userId", "anonymousId", "groupId", "previousId"):
            alike(batch(event(**{name: id_}), event(messageId="b", **{"userId": ..., name: id_})))
        alike(batch(event(context={"groupId": id_}), event(messageId="b", userId=..., context={"groupId": id_})))


def test_events_without_a_message_id_are_named_by_their_place() -> None:
    assert alike(batch(event(messageId=...), {}, event(messageId=None), event(messageId=""))).taken == 3


def test_an_event_that_is_left_is_judged_where_it_stands() -> None:
    lanes = alike(batch(event(), event(userId="null"), event(messageId="é", writeKey="wk_test"), event(), writeKey="k"))
    assert lanes.taken == 2


@pytest.mark.parametrize("at", ["2026-03-01T12:01:00.000001Z", "2026-03-01T12:30:00z"])
def test_a_clock_that_runs_ahead_moves_all_events_wherever_it_is_seen(at: str) -> None:
    for body in (batch(event(sentAt=at), event(messageId="b")), batch(event(), event(messageId="b"), sentAt=at)):
        assert alike(body).taken in {0, 1}


def test_very_many_write_keys_are_left() -> None:
    for count in (8, 9, 50):
        alike(batch(*(event(messageId=str(n), writeKey=f"k{n}") for n in range(count))))
