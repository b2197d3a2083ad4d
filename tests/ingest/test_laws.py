"""Laws of the pure parts, over texts that no writer of JSON would write: spaced, escaped, deep, doubled, enormous."""

import json
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.instants import micros
from services.ingest.domain.faithful import Unfaithful, careful, faithful, quick
from services.ingest.domain.outline import NotJson, outline
from services.ingest.domain.reading import Unreadable, inflated, read_batch, read_single
from services.ingest.domain.validation import Arrival, judge
from services.ingest.domain.verdicts import Accept, Reject, Verdict
from tests.ingest import odd
from tests.ingest.corpus.fields import members_of
from tests.ingest.makes import NOW, WORKSPACE
from tests.ingest.unchanged import said

ARRIVAL = Arrival(WORKSPACE, "app", "product", micros(NOW), lambda: "r")
_MANY = settings(max_examples=120, deadline=None)


@given(odd.objects(odd.values))
@_MANY
def test_the_quick_look_and_the_careful_one_agree(text: bytes) -> None:
    quickly, carefully = quick(text), careful(text)
    if quickly is not None:
        assert quickly == carefully
    if isinstance(carefully, Unfaithful):
        assert quickly is None
    assert repr(faithful(text)) == repr(carefully)


@given(odd.values, st.integers(0, 60), st.binary(max_size=3))
@_MANY
def test_the_outline_accepts_what_is_json_and_nothing_else(text: bytes, at: int, noise: bytes) -> None:
    for each in (text, text[:at] + noise + text[at:], text[: at + 1]):
        assert _is_json(each) in {_outlined(each), None}, each


@given(st.lists(st.tuples(odd.texts, odd.values), max_size=5), odd.spaces)
@_MANY
def test_the_outline_gives_every_member_as_it_was_written(members: list[tuple[bytes, bytes]], space: bytes) -> None:
    parts = [b"%b%b:%b%b" % (key, space, space, value) for key, value in members]
    assert [tuple(part) for part in outline(odd.spaced(b"{", parts, b"}", space)).parts] == members
    values = [value for _, value in members]
    assert [part.value for part in outline(odd.spaced(b"[", values, b"]", space)).parts] == values


@given(st.lists(odd.events(), max_size=4), odd.objects(odd.values) | st.none(), odd.spaces)
@_MANY
def test_a_batch_is_unreadable_or_judged_event_by_event(
    events: list[bytes], context: bytes | None, space: bytes
) -> None:
    tops = [b'"batch"' + space + b":" + odd.spaced(b"[", events, b"]", space)]
    tops += [b'"context":' + context] if context is not None else []
    for body in (odd.spaced(b"{", tops, b"}", space), *events):
        for request in _requests(body):
            verdicts = judge(request, ARRIVAL)
            assert len(verdicts) == len(request.events)
            for verdict in verdicts:
                _told(verdict)


@given(st.lists(odd.events(), min_size=2, max_size=5))
@_MANY
def test_no_event_refuses_another(events: list[bytes]) -> None:
    together = judge(read_batch(b'{"batch":[%b]}' % b",".join(events)), ARRIVAL)
    for event, verdict in zip(events, together, strict=True):
        [alone] = judge(read_batch(b'{"batch":[%b]}' % event), ARRIVAL)
        if isinstance(alone, Accept):
            assert isinstance(verdict, Accept), verdict
            assert bytes(verdict.touchpoint.body) == bytes(alone.touchpoint.body) == event
        else:
            assert isinstance(verdict, Reject) or alone.rejection.code == "timestamp_in_future"


@given(
    st.lists(
        st.datetimes(NOW.replace(year=2000, tzinfo=None), NOW.replace(year=9998, tzinfo=None)), min_size=1, max_size=4
    )
)
@_MANY
def test_no_clock_moves_a_good_event_out_of_its_time(sent: list[Any]) -> None:
    others = [members_of(f"s-{n}", {"sentAt": b'"%bZ"' % at.isoformat().encode()}) for n, at in enumerate(sent)]
    good = [
        members_of(f"g-{n}", {"timestamp": b'"%b"' % at.isoformat().encode()})
        for n, at in enumerate((NOW, NOW - timedelta(days=9_000), NOW.replace(year=2000), NOW + timedelta(hours=24)))
    ]
    verdicts = judge(read_batch(b'{"batch":[%b]}' % b",".join([*others, *good])), ARRIVAL)
    assert all(isinstance(each, Accept) for each in verdicts[len(others) :])


@given(odd.events())
@_MANY
def test_what_is_accepted_says_what_was_sent(event: bytes) -> None:
    for request in (*_requests(event), read_batch(b'{"batch":[%b],"context":{"n":1.10}}' % event)):
        [verdict] = judge(request, ARRIVAL)
        if isinstance(verdict, Accept):
            body = bytes(verdict.touchpoint.body)
            assert body == event.strip() or b'"n":1.10' in body
            assert _without_context(said(body)) == _without_context(said(event))


@given(st.binary(max_size=80), st.sampled_from(["", "gzip", "x-gzip", "br", "\u00e9"]))
@_MANY
def test_no_bytes_inflate_to_anything_but_bytes_or_a_refusal(body: bytes, encoding: str) -> None:
    try:
        status = 200 if isinstance(inflated(body, encoding), bytes) else 500
    except Unreadable as refused:
        status = refused.status
    assert status in {200, 400, 413}


def test_a_key_is_measured_also_where_it_holds_quotes() -> None:
    """Whatever is quick about it: an escaped quote does not begin a new key."""
    for key in (b"k" * 200 + b'\\"' + b"k" * 200, b'\\"' * 257, b"\\\\" * 257):
        assert quick(b'{"%b":1}' % key) is None
        found = faithful(b'{"%b":1}' % key)
        assert isinstance(found, Unfaithful)
        assert found.code == "key_too_long"


def _outlined(text: bytes) -> bool:
    try:
        outline(text)
    except NotJson:
        return False
    return True


def _is_json(text: bytes) -> bool | None:
    """By the standard library; None for what it cannot say: it asks for UTF-8, and for no great depth."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        json.loads(text.decode(), parse_constant=refuse, parse_int=str, parse_float=str)
    except (UnicodeDecodeError, RecursionError):
        return None
    except ValueError:
        return False
    return True


def _requests(body: bytes) -> list[Any]:
    found, refusals = [], []
    for read in (read_batch, lambda each: read_single(each, "track")):
        try:
            found.append(read(body))
        except Unreadable as refused:
            refusals.append(refused)
    assert all(each.status in {400, 413} and each.code and len(str(each)) < 200 for each in refusals)
    return found


def _told(verdict: Verdict) -> None:
    if isinstance(verdict, Reject):
        assert verdict.rejection.code
        assert verdict.rejection.message
        assert "\x00" not in verdict.rejection.payload
        verdict.rejection.payload.encode()
        (verdict.rejection.event or "").encode()


def _without_context(value: Any) -> Any:
    return [pair for pair in value.pairs if pair[0] != "context"]
