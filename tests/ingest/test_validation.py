"""The rules of an event."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jornada.events import Touchpoint
from jornada.instants import micros
from services.ingest.domain.reading import read_batch
from services.ingest.domain.time import instant
from services.ingest.domain.validation import Arrival, judge, payload_hash
from services.ingest.domain.verdicts import Accept, Reject
from tests.ingest.makes import NOW, WORKSPACE, accepted, batch, event, judged, refusal


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (event(), "accepted"),
        (event(type=...), "type_missing"),
        (event(type=None), "type_missing"),
        (event(type="Track"), "type_unknown"),
        (event(type="delete"), "type_unknown"),
        (event(type=7), "type_unknown"),
        (event(event=...), "event_missing"),
        (event(event=""), "event_missing"),
        (event(event="  "), "event_missing"),
        (event(event=7), "event_missing"),
        (event(userId=...), "id_missing"),
        (event(userId=None), "id_missing"),
        (event(userId=""), "id_missing"),
        (event(userId="", anonymousId="a"), "accepted"),
        (event(userId=..., context={"groupId": "acme"}), "accepted"),
        (event(type="page", userId=..., context={"groupId": "acme"}), "id_missing"),
        (event(type="identify", userId="42"), "accepted"),
        (event(type="group"), "group_id_missing"),
        (event(type="group", groupId=""), "group_id_missing"),
        (event(type="group", groupId="acme"), "accepted"),
        (event(type="alias"), "previous_id_missing"),
        (event(type="alias", previousId="a"), "accepted"),
        (event(type="page", event=...), "accepted"),
        (event(userId=42), "accepted"),
        (event(userId=0), "id_illegal"),
        (event(userId=-1), "id_illegal"),
        (event(userId=4.5), "id_invalid"),
        (event(userId=True), "id_invalid"),
        (event(userId=["42"]), "id_invalid"),
        (event(userId={}), "id_invalid"),
        (event(userId="x" * 256), "accepted"),
        (event(userId="x" * 257), "id_invalid"),
        (event(userId="a\nb"), "id_invalid"),
        (event(userId="a\x85b"), "id_invalid"),
        (event(userId="a/b%2F c 😀"), "accepted"),
        *((event(userId=text), "id_illegal") for text in ("null", "Undefined", " anonymous ", "NaN", "TRUE", "guest")),
        *((event(userId=text), "id_illegal") for text in ("0", "-1", "[object Object]", "0000", "0-0", "   ")),
        (event(userId="00000000-0000-0000-0000-000000000000"), "id_illegal"),
        (event(anonymousId="null"), "id_illegal"),
        (event(groupId="undefined"), "id_illegal"),
        (event(previousId="guest"), "id_illegal"),
        (event(context={"groupId": "0"}), "id_illegal"),
        (event(userId="10"), "accepted"),
        (event(messageId=...), "accepted"),
        (event(messageId=None), "accepted"),
        (event(messageId=""), "accepted"),
        (event(messageId="m" * 100), "accepted"),
        (event(messageId="m" * 101), "message_id_invalid"),
        (event(messageId="a\tb"), "message_id_invalid"),
        (event(messageId=7), "message_id_invalid"),
        (event(properties=None), "accepted"),
        (event(properties=[]), "properties_not_object"),
        (event(traits="x"), "traits_not_object"),
        (event(context=7), "context_not_object"),
        (event(timestamp=7), "timestamp_invalid"),
        (event(timestamp=""), "timestamp_invalid"),
        (event(timestamp=None), "accepted"),
        (event(sentAt="yesterday"), "accepted"),
        (event(sentAt=5), "accepted"),
        (event(anything={"at": "all"}), "accepted"),
    ],
)
def test_each_rule_has_its_code(given: dict[str, Any], code: str) -> None:
    assert refusal(given) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-03-01T12:00:00Z", "accepted"),
        ("2026-03-01t12:00:00z", "accepted"),
        ("2026-03-01T12:00:00.123456789Z", "accepted"),
        ("2026-03-01T12:00:00.1234567890Z", "timestamp_invalid"),
        ("2026-03-01T12:00:00+03:00", "accepted"),
        ("2026-03-01T12:00:00+0300", "timestamp_invalid"),
        ("2026-03-01T12:00:00+12:60", "timestamp_invalid"),
        ("2026-03-01T12:00:00+24:00", "timestamp_invalid"),
        ("2026-03-01T12:00:00", "timestamp_invalid"),
        ("2026-03-01 12:00:00Z", "timestamp_invalid"),
        ("2026-03-01", "timestamp_invalid"),
        ("20260301T120000Z", "timestamp_invalid"),
        ("2026-02-30T12:00:00Z", "timestamp_invalid"),
        ("2026-03-01T24:00:00Z", "timestamp_invalid"),
        ("2026-03-01T12:00:60Z", "timestamp_invalid"),
        ("２026-03-01T12:00:00Z", "timestamp_invalid"),
        ("2000-01-01T00:00:00Z", "accepted"),
        ("1999-12-31T23:59:59Z", "timestamp_out_of_range"),
        ("0001-01-01T00:00:00+23:00", "timestamp_invalid"),
        ("0001-01-01T00:00:00Z", "timestamp_out_of_range"),
        ("9999-12-31T23:59:59-23:00", "timestamp_invalid"),
        ("9999-12-31T23:59:59Z", "timestamp_in_future"),
        ("2026-03-02T12:00:00Z", "accepted"),
        ("2026-03-02T12:00:00.000001Z", "timestamp_in_future"),
    ],
)
def test_timestamps_are_rfc_3339_within_bounds(text: str, code: str) -> None:
    assert refusal(event(timestamp=text)) == code


def test_nine_decimals_count_to_the_microsecond() -> None:
    assert instant("2026-03-01T12:00:00.123456789Z") == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_an_event_happened_as_it_states_else_when_sent_else_when_received() -> None:
    sent = "2026-03-01T11:00:00Z"
    own = "2026-03-01T10:00:00Z"
    assert accepted(event(originalTimestamp=own, timestamp=sent)).occurred_at == instant(own)
    assert accepted(event(timestamp=own), sentAt=sent).occurred_at == instant(own)
    assert accepted(event(), sentAt=sent).occurred_at == instant(sent)
    assert accepted(event(sentAt=own), sentAt=sent).occurred_at == instant(own)
    assert accepted(event()).occurred_at == NOW
    assert accepted(event(), sentAt="broken").occurred_at == NOW


def test_only_a_clock_that_runs_ahead_is_corrected_and_all_its_events_move_together() -> None:
    ahead = NOW + timedelta(hours=30)
    verdicts = judged(
        event(messageId="a", timestamp=(ahead - timedelta(minutes=10)).isoformat()),
        event(messageId="b", timestamp=ahead.isoformat()),
        sentAt=ahead.isoformat(),
    )
    touchpoints = [each.touchpoint for each in verdicts if isinstance(each, Accept)]
    assert [each.occurred_at for each in touchpoints] == [NOW - timedelta(minutes=10), NOW]
    assert {each.clock_shift_ms for each in touchpoints} == {30 * 3_600_000}
    late = accepted(event(timestamp="2026-03-01T09:00:00Z"), sentAt="2026-03-01T09:00:05Z")
    assert (late.occurred_at, late.clock_shift_ms) == (instant("2026-03-01T09:00:00Z"), 0)
    assert accepted(event(), sentAt=(NOW + timedelta(seconds=60)).isoformat()).clock_shift_ms == 0


def test_a_clock_millennia_ahead_is_none_and_moves_nothing() -> None:
    own = "2026-03-01T09:00:00Z"
    for sent in ("9999-12-31T23:59:59Z", "2027-03-03T12:00:00Z"):
        moved = accepted(event(timestamp=own), sentAt=sent)
        assert (moved.occurred_at, moved.clock_shift_ms, moved.sent_at) == (instant(own), 0, None)
        assert accepted(event(), sentAt=sent).occurred_at == NOW
    assert accepted(event(), sentAt="2027-03-01T12:00:00Z").clock_shift_ms == 365 * 86_400_000


def test_no_shift_moves_an_event_out_of_the_times_that_are_taken() -> None:
    early = accepted(event(timestamp="2000-01-01T01:00:00Z"), sentAt=(NOW + timedelta(hours=3)).isoformat())
    assert (early.occurred_at, early.clock_shift_ms) == (instant("2000-01-01T00:00:00Z"), 3_600_000)


@pytest.mark.parametrize(("role", "hours"), [("product", 24), ("messaging", 24), ("import", 72), ("billing", 72)])
def test_history_is_a_matter_of_age(role: str, hours: int) -> None:
    limit = NOW - timedelta(hours=hours)
    assert not accepted(event(timestamp=limit.isoformat()), role=role).history
    assert accepted(event(timestamp=(limit - timedelta(seconds=1)).isoformat()), role=role).history


def test_top_level_context_and_integrations_merge_into_each_event() -> None:
    verdicts = judged(
        event(messageId="a", context={"ip": "own"}),
        event(messageId="b"),
        context={"ip": "top", "locale": "pt-BR"},
        integrations={"All": True},
    )
    bodies = [json.loads(bytes(each.touchpoint.body)) for each in verdicts if isinstance(each, Accept)]
    assert [body["context"] for body in bodies] == [{"ip": "own", "locale": "pt-BR"}, {"ip": "top", "locale": "pt-BR"}]
    assert all(body["integrations"] == {"All": True} for body in bodies)


def test_an_unfaithful_top_level_refuses_its_events_with_their_ids() -> None:
    [verdict] = judged(event(messageId="a"), context={"n": "\x00"})
    assert isinstance(verdict, Reject)
    assert (verdict.rejection.code, verdict.rejection.message_id) == ("nul_character", "a")


def test_an_event_without_an_id_gets_one_of_its_own() -> None:
    touchpoints = [
        each.touchpoint for each in judged(event(messageId=...), event(messageId="")) if isinstance(each, Accept)
    ]
    assert len({each.message_id for each in touchpoints}) == 2


def test_events_without_an_id_have_theirs_from_the_one_of_their_request() -> None:
    drawn = iter(["r", "s", "t"])
    arrival = Arrival(WORKSPACE, "app", "product", micros(NOW), lambda: next(drawn))
    verdicts = judge(read_batch(batch(event(messageId=...), event(messageId=""))), arrival)
    assert [each.message_id for each in verdicts if isinstance(each, Accept)] == ["r-0", "r-1"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_refused_event_whose_id_says_nothing_has_none(nothing: str | None) -> None:
    [verdict] = judged(event(messageId=nothing, userId="null"))
    assert isinstance(verdict, Reject)
    assert verdict.rejection.message_id is None


def test_the_hash_sees_the_payload_and_neither_key_order_nor_sent_at() -> None:
    def digest(text: str) -> str:
        [verdict] = judge(
            read_batch(b'{"batch":[%b]}' % text.encode()),
            Arrival(WORKSPACE, "app", "product", micros(NOW), lambda: "r"),
        )
        assert isinstance(verdict, Accept)
        return verdict.touchpoint.payload_hash

    one = '{"type":"track","event":"A","userId":"1","properties":{"a":1,"b":2}}'
    assert digest(one) == digest('{"userId":"1", "event":"A","properties":{"b":2,"a":1},"type":"track","sentAt":"x"}')
    assert digest(one) != digest(one.replace('"b":2', '"b":3'))


def test_the_count_of_re_sends_that_a_browser_adds_makes_no_other_payload() -> None:
    event = {"type": "track", "event": "A", "userId": "1", "_metadata": {"bundled": ["Segment.io"]}}
    again = event | {"_metadata": {"bundled": ["Segment.io"], "retryCount": 2}}
    assert payload_hash(event, "track") == payload_hash(again, "track") != payload_hash(again | {"event": "B"}, "track")


def test_what_is_kept_never_holds_the_write_key() -> None:
    good = accepted(event(writeKey="wk_secret", properties={"price": 1.10}))
    assert b"wk_secret" not in bytes(good.body)
    [verdict] = judged(event(writeKey="wk_secret", properties={"n": "\x00"}))
    assert isinstance(verdict, Reject)
    assert "wk_secret" not in verdict.rejection.payload


def test_only_track_has_an_event_and_group_its_account() -> None:
    grouped: Touchpoint = accepted(event(type="group", groupId="acme"))
    assert (grouped.event, grouped.group_id) == (None, "acme")
    assert accepted(event(context={"groupId": "acme"})).group_id == "acme"
