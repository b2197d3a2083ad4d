"""Packed records are what they would be one by one: on every partition, in every batch, by every count.

Broken on purpose, each turned a test of this file red: a batch's checksum, its count, its timestamp; a length of just
64; a record's place from 64 on; a batch that grew when it was compressed; headers left out; another partition by key;
the order within one; a batch closed a record late; a cell counted twice; an event too many let through, or counted
again for its refusal; an id that is there twice in its request, or was there before. In tests/shared/bus: a refused
batch told as stored, and single records among packed ones left out.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest
from aiokafka.codec import zstd_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jornada.bus.carrier import Record
from jornada.bus.gathering import parted
from jornada.bus.kafka_batches import unpacked, written
from jornada.bus.packed import Packed
from jornada.events import TOUCHPOINTS
from jornada.instants import micros
from services.ingest.domain import express
from services.ingest.domain.express import sent
from services.ingest.domain.validation import Arrival
from services.ingest.limits import Crowd
from tests.ingest.lanes import HEADERS, arrived
from tests.ingest.makes import NOW, WORKSPACE, Ingest, batch, event

pytestmark = pytest.mark.skipif(not express.IS_OPEN, reason="NO EXPRESS LANE, NOTHING HERE WAS RUN: cargo is missing")
_MANY = settings(max_examples=150, deadline=None)

calls = st.lists(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9_000)), min_size=1, max_size=150), min_size=1, max_size=4
)
"""Calls of events, each of a customer and with a text of so many letters."""


def packed(events: Sequence[tuple[int, int]], headers: Any = HEADERS) -> Packed:
    """Records of these events."""
    body = batch(
        *[
            event(messageId=f"m-{number}", userId=f"customer-{who}", properties={"text": "x" * size})
            for number, (who, size) in enumerate(events)
        ]
    )
    return Packed(TOUCHPOINTS.name, headers, sent(body, "batch").packed(arrived("product", "app"), headers))


@_MANY
@given(calls, st.sampled_from([(), HEADERS, (*HEADERS, ("é", b"\x00\xff"))]), st.integers(1, 13))
def test_parts_have_the_records_of_their_keys_in_order(
    events: list[list[tuple[int, int]]], headers: Any, partitions: int
) -> None:
    records = packed(events[0], headers)
    wanted: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        wanted[crc32(record.key) % partitions].append(record)
    written, counts = parted([records], partitions)
    parts = dict(written)
    assert counts == [len(wanted)]
    assert {number: unpacked(TOUCHPOINTS.name, part) for number, part in parts.items()} == wanted
    for number, part in parts.items():
        assert len(part) == len(wanted[number])
        assert part.size >= sum(len(each.key) + len(each.value) for each in wanted[number])


@pytest.mark.parametrize("given", [{}, {"messageId": "m-1"}])
def test_the_id_of_a_request_is_drawn_only_for_an_event_without_one(given: dict[str, str]) -> None:
    drawn: list[str] = []

    def draw() -> str:
        drawn.append("r")
        return "r"

    arrival = Arrival(WORKSPACE, "app", "product", micros(NOW), draw)
    body = batch(event(messageId="m-0"), event(**{"messageId": ..., **given}))
    assert sent(body, "batch").packed(arrival, HEADERS).message_ids() == ["m-0", given.get("messageId", "r-1")]
    assert len(drawn) == 1 - len(given)


@_MANY
@given(calls, st.integers(1, 13))
def test_parts_of_many_calls_have_what_each_call_alone_has(
    events: list[list[tuple[int, int]]], partitions: int
) -> None:
    of_calls = [packed(each) for each in events]
    alone = [dict(parted([each], partitions)[0]) for each in of_calls]
    together, counts = parted(of_calls, partitions)
    assert counts == [len(parts) for parts in alone]
    assert {number for number, _ in together} == {number for parts in alone for number in parts}
    for number, part in together:
        members = [place for place, parts in enumerate(alone) if number in parts]
        mine = [unpacked(TOUCHPOINTS.name, alone[place][number]) for place in members]
        assert part.members == members
        assert [unpacked(TOUCHPOINTS.name, each) for each in part.apart()] == mine
        assert unpacked(TOUCHPOINTS.name, part) == [record for records in mine for record in records]
        assert part.size == sum(alone[place][number].size for place in members)
        assert len(part) == sum(map(len, mine))


@_MANY
@example([[(each % 3, 0) for each in range(300)]], HEADERS, 1 << 22)
@given(calls, st.sampled_from([(), HEADERS, (*HEADERS, ("é", b"\x00\xff"))]), st.sampled_from([1_000, 30_000, 1 << 22]))
def test_a_batch_is_what_the_library_would_build_byte_for_byte(
    events: list[list[tuple[int, int]]], headers: Any, most: int
) -> None:
    of_calls = [packed(each, headers) for each in events]
    parts = [part for each in of_calls for _, part in parted([each], 1)[0]]
    records = [record for each in of_calls for record in each]
    taken = 0
    for made, count in parts[0].batches(parts, most, 1_800_000_000_123, 4, zstd_encode):
        theirs = records[taken : taken + count]
        assert made == _built(theirs, 1_800_000_000_123)
        assert count == 1 or sum(len(each.value) for each in theirs) < most
        taken += count
    assert taken == len(records)


@_MANY
@given(calls, st.sampled_from([1_000, 1 << 22]))
def test_what_is_sent_reads_as_the_records(events: list[list[tuple[int, int]]], most: int) -> None:
    of_calls = [packed(each) for each in events]
    parts = [part for each in of_calls for _, part in parted([each], 1)[0]]
    read: list[Any] = []
    for made in written(parts, most):
        assert made.size() == len(made._build())
        found = list(DefaultRecordBatch(made._build()))
        assert len(found) == made.record_count()
        assert abs(found[0].timestamp - time.time() * 1_000) < 60_000
        read += found
    wanted = [(each.key, each.value, list(each.headers)) for call in of_calls for each in call]
    assert [(each.key, each.value, each.headers) for each in read] == wanted


def _built(records: Sequence[Record], timestamp: int) -> bytes:
    builder = BatchBuilder(1 << 24, 4)
    for each in records:
        assert builder.append(timestamp=timestamp, key=each.key, value=each.value, headers=list(each.headers))
    return bytes(builder._build())


def test_what_does_not_shrink_is_not_compressed() -> None:
    (((_, part),), _) = parted([packed([(1, 0)], ())], 1)
    ((plain, _),) = part.batches([part], 1 << 20, 1, 4, lambda _: b"x" * 10_000)
    ((small, _),) = part.batches([part], 1 << 20, 1, 4, zstd_encode)
    assert plain[21:23] == b"\x00\x00"
    assert small[21:23] == b"\x00\x04"
    assert len(small) < len(plain)


@_MANY
@given(st.lists(st.integers(0, 5), min_size=1, max_size=120))
def test_customers_are_counted_as_one_by_one(who: list[int]) -> None:
    one, other = (Crowd(1, lambda: 0.0) for _ in range(2))
    events = packed([(each, 0) for each in who])
    for _ in range(3):
        assert other.over_packed(events) == one.over([record.key for record in events])


async def test_of_a_flood_in_one_request_each_event_is_counted_once_and_the_rest_is_refused() -> None:
    ingest = Ingest(customer_events_per_second=10)
    bodies = [batch(*[event(messageId=f"{n}-{each}", userId="flood") for each in range(60)]) for n in range(4)]
    answers = [(await ingest.post("/v1/batch", body)).json()["results"] for body in bodies]
    said = [each["status"] for answer in answers for each in answer]
    accepted = said.count("accepted")
    assert 100 <= accepted <= 200
    assert said == ["accepted"] * accepted + ["rejected"] * (240 - accepted)
    assert len(ingest.bus.touchpoints()) == accepted


async def test_an_event_that_came_before_or_twice_is_told_and_not_published_again() -> None:
    ingest = Ingest()
    one, other = event(messageId="a", event="A"), event(messageId="a", event="B")
    first = (await ingest.post("/v1/batch", batch(one, one, other))).json()["results"]
    again = (await ingest.post("/v1/batch", batch(one, event(messageId="b")))).json()["results"]
    assert [each["status"] for each in first + again] == ["accepted", "duplicate", "duplicate", "duplicate", "accepted"]
    assert [each.get("code") for each in first] == [None, None, "payload_differs"]
    assert [each.message_id for each in ingest.bus.touchpoints()] == ["a", "b"]
