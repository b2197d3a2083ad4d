"""What is admitted, and that nobody pays for another's flood."""

import asyncio
import time

import pytest

from jornada.events import REJECTIONS
from services.ingest.limits import Crowd, Pulse, Rate
from tests.ingest.makes import KEY, Ingest, batch, event


class Seconds:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_who_sends_no_more_than_the_rate_never_waits() -> None:
    clock = Seconds()
    rate = Rate(100, clock)
    for second in range(60):
        clock.at = float(second)
        assert rate.wait("a") == 0
        rate.spend("a", 100)


def test_who_sent_too_much_waits_until_it_is_even_and_the_others_do_not() -> None:
    clock = Seconds()
    rate = Rate(100, clock)
    rate.spend("a", 350)
    assert rate.wait("a") == pytest.approx(2.5)
    assert rate.wait("b") == 0
    clock.at = 2.5
    assert rate.wait("a") == 0


def test_the_memory_of_rates_is_bounded() -> None:
    rate = Rate(1, Seconds())
    for number in range(30_000):
        rate.spend(number, 100)
    assert rate.wait(29_999) > 0
    assert rate.wait(0) == 0


def test_a_flood_of_one_customer_is_cut_between_once_and_twice_its_limit_and_nobody_else_is() -> None:
    clock = Seconds()
    crowd = Crowd(10, clock)
    crowd.turn()
    passed = sum(not crowd.over("flood") for _ in range(10_000))
    assert 100 <= passed <= 200
    assert not any(crowd.over(f"customer {number}") for number in range(100_000))


def test_after_ten_seconds_a_customer_may_send_again() -> None:
    clock = Seconds()
    crowd = Crowd(10, clock)
    crowd.turn()
    while not crowd.over("flood"):
        pass
    clock.at = 10.0
    crowd.turn()
    assert not crowd.over("flood")


async def test_the_pulse_tells_within_one_turn_of_the_loop_how_late_it_is() -> None:
    pulse = Pulse()
    assert pulse.late() == 0
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(0.05)
    assert pulse.late() < 0.1
    time.sleep(0.3)  # noqa: ASYNC251 - what a crowded loop looks like from within
    assert pulse.late() > 0.2
    await asyncio.sleep(0.05)
    assert pulse.late() < 0.1
    beating.cancel()


async def test_a_key_that_sends_too_much_is_answered_429_and_how_long_to_wait() -> None:
    ingest = Ingest(key_events_per_second=10)
    assert (await ingest.post("/v1/batch", batch(*(event(messageId=f"{n}") for n in range(35))))).status_code == 200
    answer = await ingest.post("/v1/batch", batch(event()))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "rate_limited", "3")
    ingest.clock.seconds = 2.6
    assert (await ingest.post("/v1/batch", batch(event()))).status_code == 200


async def test_too_much_in_all_is_answered_503_before_the_body_is_read() -> None:
    ingest = Ingest(events_per_second=1)
    assert (await ingest.post("/v1/batch", batch(event(messageId="a"), event(messageId="b")))).status_code == 200
    answer = await ingest.post("/v1/batch", batch(event(messageId="c")))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert ingest.limits.bytes.taken == 0


@pytest.mark.parametrize(("late", "origin", "status"), [(0.5, False, 503), (0.5, True, 200), (0.9, True, 503)])
async def test_who_comes_while_the_process_is_behind_is_turned_away_browsers_last(
    late: float, origin: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest()
    monkeypatch.setattr(ingest.limits.pulse, "late", lambda: late)
    headers = {"origin": "https://shop.example"} if origin else {}
    assert (await ingest.post("/v1/batch", batch(event()), headers)).status_code == status


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
