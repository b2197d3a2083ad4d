"""The live stream: every alert after the last one seen, once, in order, over any number of connections."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple

import httpx
import msgspec

from jornada.clock import SystemClock
from jornada.events import new_id
from tests.notify.conftest import Notify, until
from tests.notify.factories import crossing, records

NOW = SystemClock().now


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    id: str
    data: bytes


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    """The events of a stream, pings left out."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            if "event" in fields:
                yield Event(fields["event"], fields.get("id", ""), fields.get("data", "").encode())
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


async def listened(notify: Notify, last: str | None, number: int) -> list[Event]:
    """The first events of a connection that goes on after `last`."""
    headers = {} if last is None else {"last-event-id": last}
    found: list[Event] = []
    async with notify.http.stream("GET", "/v1/alerts/stream", headers=headers) as answer:
        assert answer.status_code == 200
        if number == 0:
            return found
        async for event in events(answer):
            found.append(event)
            if len(found) >= number:
                break
    return found


async def told(notify: Notify, *ordinals: int) -> None:
    """Publishes crossings and waits for their alerts."""
    before = await notify.count("alerts")
    published = [crossing(f"p{each}", workspace=notify.workspace, recorded_at=NOW()) for each in ordinals]
    await notify.bus.publish(records(*published))
    await until(lambda: _count(notify, before + len(ordinals)))


async def test_a_client_that_joins_again_gets_every_alert_after_its_last_once_in_order(notify: Notify) -> None:
    (hello,) = await listened(notify, None, 1)
    assert (hello.name, hello.id) == ("hello", "0")
    last, seen = hello.id, []
    for batch in ((1, 2, 3), (4,), (5, 6, 7, 8)):
        await told(notify, *batch)
        for take in (len(batch) - 1, 1):
            if take == 0:
                continue
            greeting, *alerts = await listened(notify, last, take + 1)
            assert (greeting.name, greeting.id) == ("hello", last)
            seen += [event.id for event in alerts]
            last = alerts[-1].id
    listed = [alert["id"] for alert in (await notify.ask("/v1/alerts"))["items"]]
    assert len(seen) == 8
    assert seen == listed
    again = await listened(notify, "0", 9)
    assert [event.id for event in again[1:]] == listed
    assert msgspec.json.decode(again[1].data) == (await notify.ask("/v1/alerts"))["items"][0]
    after = await notify.ask("/v1/alerts", after=seen[5])
    assert [alert["id"] for alert in after["items"]] == seen[6:]


async def test_an_alert_reaches_a_live_client_within_a_moment(notify: Notify) -> None:
    async with notify.http.stream("GET", "/v1/alerts/stream") as answer:
        stream = events(answer)
        assert (await anext(stream)).name == "hello"
        began = time.monotonic()
        await notify.bus.publish(records(crossing(workspace=notify.workspace, recorded_at=NOW())))
        assert (await anext(stream)).name == "alert"
        assert time.monotonic() - began < 1


async def test_an_id_out_of_memory_or_never_given_is_an_explicit_reset(notify: Notify) -> None:
    await told(notify, 1, 2, 3)
    first, second, third = [alert["id"] for alert in (await notify.ask("/v1/alerts"))["items"]]
    async with notify.database.transaction([notify.workspace]) as connection:
        old = NOW() - timedelta(hours=25)
        await connection.execute("update alerts set created_at = $2 where id = any($1::uuid[])", [first, second], old)
    for last in (first, str(new_id()), "nonsense"):
        hello, reset = await listened(notify, last, 2)
        assert (hello.name, reset.name, reset.id) == ("hello", "reset", third)
    for start in ("0", second):
        assert [event.id for event in await listened(notify, start, 2)] == [start, third]


async def test_a_page_boundary_neither_skips_nor_repeats(notify: Notify) -> None:
    await told(notify, 1, 2, 3, 4, 5)
    whole = [alert["id"] for alert in (await notify.ask("/v1/alerts"))["items"]]
    found, cursor = [], None
    while True:
        page = await notify.ask("/v1/alerts", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [alert["id"] for alert in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == whole


async def test_nobody_sees_another_workspaces_alerts(notify: Notify) -> None:
    async with notify.database.transaction([notify.workspace]) as connection:
        assert await connection.fetchval("select count(*) from alerts") == 0
        assert await connection.fetchval("select count(*) from decisions") == 0
    assert (await notify.ask("/v1/alerts"))["items"] == []


async def _count(notify: Notify, number: int) -> bool:
    return await notify.count("alerts") >= number
