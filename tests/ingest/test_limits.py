"""What is admitted, and that nobody pays for another's flood."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.access.keyring import Keyring
from jornada.events import REJECTIONS
from jornada.web import Answer, Fields
from services.ingest import limits
from services.ingest.limits import Crowd, Rate, Stream, Turns
from tests.ingest.makes import KEY, Ingest, batch, event


class Seconds:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_who_sends_no_more_than_the_rate_never_waits() -> None:
    rate = Rate(100)
    for second in range(60):
        assert rate.wait("a", second) == 0
        rate.spend("a", 100, second)


def test_who_sent_too_much_waits_until_it_is_even_and_the_others_do_not() -> None:
    rate = Rate(100)
    rate.spend("a", 350, 0)
    assert rate.wait("a", 0) == pytest.approx(2.5)
    assert rate.wait("b", 0) == 0
    assert rate.wait("a", 2.5) == 0


def test_who_was_quiet_may_send_no_more_at_once_for_it() -> None:
    rate = Rate(100)
    rate.spend("a", 100, 0)
    rate.spend("a", 200, 1_000)
    rate.spend("a", 150, 1_000)
    assert rate.wait("a", 1_000) == pytest.approx(2.5)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 300), st.floats(0, 2)), max_size=40))
@settings(deadline=None)
def test_what_a_rate_forgets_makes_no_difference(spent: list[tuple[int, int, float]]) -> None:
    keeping, now = Rate(100), 0.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "_KEYS", 1)
        forgetting = Rate(100)
        for who, events, pause in spent:
            now += pause
            for rate in (forgetting, keeping):
                rate.spend(who, events, now)
            assert [forgetting.wait(each, now) for each in range(5)] == [keeping.wait(each, now) for each in range(5)]


def test_a_rate_forgets_who_is_even_and_never_who_is_not() -> None:
    rate = Rate(1)
    rate.spend("owes", 1_000, 0)
    for number in range(30_000):
        rate.spend(number, 1, number / 100)
    assert rate.wait("owes", 300) == pytest.approx(699)
    assert sum(rate.knows(number) for number in range(30_000)) <= 20_000


def test_a_flood_of_one_customer_is_cut_between_once_and_twice_its_limit_and_nobody_else_is() -> None:
    crowd = Crowd(10, Seconds())
    passed = 10_000 - len(crowd.over([b"flood"] * 10_000))
    assert 100 <= passed <= 200
    assert not crowd.over([b"customer %d" % number for number in range(100_000)])


def test_after_ten_seconds_a_customer_may_send_again() -> None:
    clock = Seconds()
    crowd = Crowd(10, clock)
    assert crowd.over([b"flood"] * 1_000)
    clock.at = 10.0
    assert not crowd.over([b"flood"])


MEGABYTE = 1_048_576


def flowing(clock: Seconds, stream: Stream, bytes_per_second: int, seconds: int) -> None:
    """The stream takes what it is given, ten times a second."""
    for _ in range(10 * seconds):
        clock.at += 0.1
        stream.give(bytes_per_second // 10)
        stream.take(bytes_per_second // 10, acked=True)


def test_no_more_waits_for_the_stream_than_it_lately_took_in_about_a_third_of_a_second() -> None:
    clock = Seconds()
    stream = Stream(clock)
    flowing(clock, stream, 40 * MEGABYTE, 10)
    stream.give(13 * MEGABYTE)
    assert not stream.is_full()
    stream.give(2 * MEGABYTE)
    assert stream.is_full()
    stream.take(2 * MEGABYTE, acked=True)
    assert not stream.is_full()


def test_a_burst_after_a_quiet_time_is_let_in() -> None:
    clock = Seconds()
    stream = Stream(clock)
    flowing(clock, stream, 1_000, 10)
    stream.give(4 * MEGABYTE)
    assert not stream.is_full()


def test_a_stream_that_pauses_is_waited_for_and_turns_nobody_away() -> None:
    clock = Seconds()
    stream = Stream(clock)
    flowing(clock, stream, MEGABYTE, 10)
    clock.at += 0.3
    stream.give(50 * MEGABYTE)
    assert not stream.is_full()
    stream.take(MEGABYTE, acked=False)
    assert not stream.is_full(), "a failure is no sign of life"
    stream.take(MEGABYTE, acked=True)
    assert stream.is_full()


async def taken(turns: Turns) -> None:
    if turns.must_wait():
        await turns.wait_for_one()


async def test_nobody_stands_in_line_while_a_turn_of_the_loop_is_short() -> None:
    turns = Turns()
    for _ in range(100):
        await asyncio.wait_for(taken(turns), 0.1)
        await asyncio.sleep(0)
    assert turns.wait() == 0


async def test_who_comes_at_once_is_let_in_in_order_a_few_a_turn_while_the_loop_goes_on() -> None:
    turns = Turns()
    order: list[int] = []
    longest = 0.0

    async def work(number: int) -> None:
        await taken(turns)
        order.append(number)
        time.sleep(0.005)  # noqa: ASYNC251 - what judging a batch is to the loop

    async def watch() -> None:
        nonlocal longest
        while len(order) < 200:
            began = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - began)

    watching = asyncio.create_task(watch())
    working = [asyncio.create_task(work(number)) for number in range(200)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert turns.wait() > 0
    await asyncio.gather(watching, *working)
    assert order == sorted(order)
    assert longest < 0.5, "two hundred at once would take a second"
    assert turns.wait() == 0


async def test_who_leaves_the_line_holds_up_nobody() -> None:
    turns = Turns()
    time.sleep(0.001)  # noqa: ASYNC251
    waiting = [asyncio.create_task(taken(turns)) for _ in range(3)]
    waiting[1].cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in done] == [False, True, False]


def many(count: int) -> list[dict[str, Any]]:
    return [event(messageId=f"{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("headers", "top"), [({}, {}), ({"x-write-key": ""}, {"writeKey": KEY}), ({}, {"writeKey": "wk_other"})]
)
async def test_a_key_that_sends_too_much_is_answered_429_and_how_long_to_wait(
    headers: dict[str, str], top: dict[str, str]
) -> None:
    ingest = Ingest(key_events_per_second=10)
    for count in (5, 30):
        assert (await ingest.post("/v1/batch", batch(*many(count), **top), headers)).status_code == 200
    answer = await ingest.post("/v1/batch", batch(event(), **top), headers)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "rate_limited", "3")
    ingest.clock.seconds = 2.6
    assert (await ingest.post("/v1/batch", batch(event(), **top), headers)).status_code == 200


async def test_a_key_that_is_revoked_is_told_so_however_much_it_sent() -> None:
    ingest = Ingest(key_events_per_second=10)
    assert (await ingest.post("/v1/batch", batch(*many(35)))).status_code == 200
    ingest.keys.revoked = True
    ingest.collect.keyring = Keyring(ingest.keys)
    for _ in range(2):
        answer = await ingest.post("/v1/batch", batch(event()))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_write_key")


@pytest.mark.parametrize(("count", "wait"), [(2, "1"), (5, "4"), (400, "300")])
async def test_too_much_in_all_is_answered_503_before_the_body_is_read(count: int, wait: str) -> None:
    ingest = Ingest(events_per_second=1)
    assert (await ingest.post("/v1/batch", batch(*many(count)))).status_code == 200
    answer = await ingest.post("/v1/batch", batch(event(messageId="c")))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", wait)
    assert ingest.limits.bytes.taken == 0


@pytest.mark.parametrize(("late", "origin", "away"), [(0.4, False, True), (0.4, True, False), (0.7, True, True)])
async def test_who_comes_while_the_line_is_long_is_turned_away_browsers_last(
    late: float, origin: bool, away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest()
    monkeypatch.setattr(ingest.limits.turns, "wait", lambda: late)
    headers = {"origin": "https://shop.example"} if origin else {}
    answer = await ingest.post("/v1/batch/?x=1", batch(event()), headers)
    assert answer.status_code == (503 if away else 200)
    head = Fields([(name.encode(), value.encode()) for name, value in headers.items()])
    assert isinstance(ingest.app.begin(b"POST", b"/v1/batch", head), Answer) == away, "the body would be read"
    assert ingest.app.begin(b"OPTIONS", b"/v1/batch", Fields([])) is None
    assert ingest.app.begin(b"GET", b"/v1/rejections", Fields([])) is None


@pytest.mark.parametrize("known", [False, True])
async def test_who_finds_the_line_long_once_their_body_is_there_is_turned_away(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest()
    if known:
        await ingest.post("/v1/batch", batch(event()))
    begun = ingest.collect.begin("/v1/batch", Fields([(b"x-write-key", KEY.encode())]))
    assert not isinstance(begun, Answer)
    begun.take(batch(event(messageId="late")))
    monkeypatch.setattr(ingest.limits.turns, "wait", lambda: 0.7)
    said: list[Answer] = []
    waiting = begun.answer(said.append)
    assert waiting is not None
    await waiting
    assert [each.status for each in said] == [503]
    assert len(ingest.bus.records) == known


async def test_who_comes_while_the_stream_lags_behind_is_turned_away_until_it_took_what_waits() -> None:
    ingest = Ingest(patience=5)
    ingest.bus.gate = asyncio.Event()
    sending: list[asyncio.Task[httpx.Response]] = []
    async with asyncio.timeout(10):
        for number in range(10):
            events = [event(messageId=f"{number}-{each}", properties={"x": "y" * 30_000}) for each in range(15)]
            sending.append(asyncio.create_task(ingest.post("/v1/batch", batch(*events))))
            while ingest.bus.attempts <= number:  # noqa: ASYNC110
                await asyncio.sleep(0)
        answer = await ingest.post("/v1/batch", batch(event()))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    ingest.bus.gate.set()
    assert {(await each).status_code for each in sending} == {200}
    assert (await ingest.post("/v1/batch", batch(event()))).status_code == 200


async def test_a_request_that_fails_is_no_sign_of_life_of_the_stream() -> None:
    ingest = Ingest()
    ingest.limits.stream.give(5 * MEGABYTE)
    ingest.clock.seconds = 10.0
    ingest.bus.away = True
    for _ in range(2):
        answer = await ingest.post("/v1/batch", batch(event()))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_an_event_above_a_customers_limit_is_refused_kept_and_the_rest_goes_on() -> None:
    ingest = Ingest(customer_events_per_second=1)
    events = [event(messageId=f"f-{n}", userId="flood") for n in range(40)]
    results = (await ingest.post("/v1/batch", batch(*events, event(messageId="other", userId="ana")))).json()["results"]
    refused = [each for each in results if each["status"] == "rejected"]
    assert {each["code"] for each in refused} == {"customer_rate_limited"}
    assert 20 <= len(refused) <= 30
    assert results[-1] == {"message_id": "other", "status": "accepted"}
    kept = [record for record in ingest.bus.records if record.topic == REJECTIONS.name]
    assert len(kept) == len(refused)
    assert b"flood" in kept[0].value
    assert KEY.encode() not in kept[0].value
