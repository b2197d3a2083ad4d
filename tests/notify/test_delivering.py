"""Alerts on their way: exactly one each, signed, tried again, and never held up by another's endpoint."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from jornada.bus.worker import Worker
from jornada.clock import SystemClock
from services.notify.worker import READ, Fold, WakingPublisher
from tests.notify.conftest import Notify, Receiver, until
from tests.notify.factories import crossing, into_red, records

NOW = SystemClock().now


async def subscribed(notify: Notify, receiver: Receiver, **when: Any) -> dict[str, Any]:
    """An alert subscription to the receiver."""
    document: dict[str, Any] = await notify.act(
        "POST",
        "/v1/alert-subscriptions",
        {"name": "team", "to": {"type": "webhook", "url": receiver.url}, "when": when},
    )
    return document


async def hurried(notify: Notify) -> None:
    """Makes every delivery that waits for its next attempt due now."""
    async with notify.database.transaction([notify.workspace]) as connection:
        await connection.execute("update deliveries set due_at = now() where status = 'pending'")


async def test_a_crossing_becomes_one_signed_webhook_within_a_moment(notify: Notify, receiver: Receiver) -> None:
    subscription = await subscribed(notify, receiver)
    told = crossing(workspace=notify.workspace, recorded_at=NOW())
    began = time.monotonic()
    await notify.bus.publish(records(told, told))
    await until(lambda: _is(len(receiver.got) > 0))
    assert time.monotonic() - began < 2
    await notify.caught_up()
    ((headers, body),) = receiver.got
    event = Webhook(subscription["secret"]).verify(body, headers)
    assert event["type"] == "alert.created"
    assert event["data"]["id"] == str(told.id)
    assert event["data"] == (await notify.ask("/v1/alerts"))["items"][0]
    (delivery,) = (await notify.ask(f"/v1/alert-subscriptions/{subscription['id']}/deliveries"))["items"]
    assert (delivery["id"], delivery["status"]) == (headers["webhook-id"], "delivered")
    assert delivery["attempts"][0]["status"] == 204
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription["secret"]).verify(body + b" ", headers)


async def test_every_attempt_has_the_same_id_and_bytes(notify: Notify, receiver: Receiver) -> None:
    receiver.script = [(500, {}), (302, {"location": receiver.url}), (429, {"retry-after": "1"})]
    subscription = await subscribed(notify, receiver)
    await notify.bus.publish(records(crossing(workspace=notify.workspace, recorded_at=NOW())))
    for number in range(1, 5):
        await until(lambda number=number: _is(len(receiver.got) >= number))  # type: ignore[misc]
        await until(lambda number=number: _attempts(notify, subscription["id"], number))  # type: ignore[misc]
        await hurried(notify)
    assert {(headers["webhook-id"], body) for headers, body in receiver.got} == {
        (receiver.got[0][0]["webhook-id"], receiver.got[0][1])
    }
    for headers, body in receiver.got:
        Webhook(subscription["secret"]).verify(body, headers)
    (delivery,) = (await notify.ask(f"/v1/alert-subscriptions/{subscription['id']}/deliveries"))["items"]
    assert delivery["status"] == "delivered"
    assert [each["status"] for each in delivery["attempts"]] == [500, 302, 429, 204]


async def test_410_disables_the_subscription(notify: Notify, receiver: Receiver) -> None:
    receiver.script = [(410, {})]
    subscription = await subscribed(notify, receiver)
    await notify.bus.publish(records(crossing(workspace=notify.workspace, recorded_at=NOW())))
    await until(lambda: _attempts(notify, subscription["id"], 1))
    await notify.bus.publish(records(crossing("bia", workspace=notify.workspace, recorded_at=NOW())))
    await notify.caught_up()
    document = await notify.ask(f"/v1/alert-subscriptions/{subscription['id']}")
    assert document["disabled_because"] == "gone"
    assert len(receiver.got) == 1


async def test_a_hanging_endpoint_delays_nobody_else(
    notify: Notify, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.hanging = True
    slow = await subscribed(notify, receiver)
    names = [f"p{number}" for number in range(20)]
    await notify.bus.publish([*into_red(names, workspace=notify.workspace, recorded_at=NOW())])
    await until(lambda: _is(len(receiver.got) >= 4))
    quick = await subscribed(notify, other_receiver)
    began = time.monotonic()
    await notify.bus.publish(records(crossing("quick", workspace=notify.workspace, recorded_at=NOW())))
    await until(lambda: _is(len(other_receiver.got) == 1))
    assert time.monotonic() - began < 1
    for subscription in (slow, quick):
        await notify.act("DELETE", f"/v1/alert-subscriptions/{subscription['id']}")


async def test_rebuilding_from_the_start_creates_no_alert_and_sends_nothing(notify: Notify, receiver: Receiver) -> None:
    await subscribed(notify, receiver)
    await notify.started()
    names = ["replay-a", "replay-b", "replay-c"]
    await notify.bus.publish(into_red(names, workspace=notify.workspace, recorded_at=NOW()))
    await notify.caught_up()
    await until(lambda: _is(len(receiver.got) == 3))
    tables = ("alerts", "deliveries", "decisions", "messages")
    before = [await notify.count(table) for table in tables]
    assert before == [3, 3, 3, 3]
    await _read_again(notify)
    await notify.caught_up()
    assert [await notify.count(table) for table in tables] == before
    assert len(receiver.got) == 3
    assert all(len(notify.mails_to(f"{name}@example.com")) == 1 for name in names)


async def test_a_stale_alert_is_recorded_and_not_told(notify: Notify, receiver: Receiver) -> None:
    await subscribed(notify, receiver)
    old = crossing(workspace=notify.workspace, recorded_at=NOW() - timedelta(hours=2))
    await notify.bus.publish(records(old))
    await until(lambda: _alerts(notify, 1))
    await notify.caught_up()
    (alert,) = (await notify.ask("/v1/alerts"))["items"]
    assert alert["stale"] is True
    assert receiver.got == []
    assert await notify.count("deliveries") == 0


async def test_a_filter_by_stage_is_decided_on_the_journey(notify: Notify, receiver: Receiver) -> None:
    wants = await subscribed(notify, receiver, stage=["at_risk"])
    does_not = await subscribed(notify, receiver, stage=["active"])
    await notify.bus.publish(into_red(["staged"], workspace=notify.workspace, recorded_at=NOW()))
    await notify.caught_up()
    for subscription, status in ((wants, "delivered"), (does_not, "skipped")):
        (delivery,) = (await notify.ask(f"/v1/alert-subscriptions/{subscription['id']}/deliveries"))["items"]
        assert delivery["status"] == status


async def test_a_trial_alert_is_delivered(notify: Notify, receiver: Receiver) -> None:
    subscription = await subscribed(notify, receiver)
    await notify.act("POST", f"/v1/alert-subscriptions/{subscription['id']}/test")
    await until(lambda: _is(len(receiver.got) == 1))
    headers, body = receiver.got[0]
    assert Webhook(subscription["secret"]).verify(body, headers)["type"] == "alert.test"


async def test_the_secret_is_shown_once_and_kept_unreadable(notify: Notify, receiver: Receiver) -> None:
    subscription = await subscribed(notify, receiver)
    secret = subscription["secret"]
    assert secret.startswith("whsec_")
    assert "secret" not in await notify.ask(f"/v1/alert-subscriptions/{subscription['id']}")
    async with notify.database.transaction([notify.workspace]) as connection:
        kept = await connection.fetchval("select secret from alert_subscriptions")
    assert secret.encode() not in kept


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://10.0.0.1/", "https://a@example.com/", "https://a\\b/", "https://a b/", "ftp://x/"],
)
async def test_a_place_that_may_not_be_called_is_refused_when_saved(notify: Notify, url: str) -> None:
    answer = await notify.http.post(
        "/v1/alert-subscriptions", json={"name": "x", "to": {"type": "webhook", "url": url}}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "refused_url")


async def test_a_subscription_can_be_changed_and_ended(notify: Notify, receiver: Receiver) -> None:
    subscription = await subscribed(notify, receiver)
    path = f"/v1/alert-subscriptions/{subscription['id']}"
    assert (await notify.act("PATCH", path, {"disabled": True}))["disabled_at"] is not None
    await notify.bus.publish(records(crossing(workspace=notify.workspace, recorded_at=NOW())))
    await until(lambda: _alerts(notify, 1))
    assert await notify.count("deliveries") == 0
    assert (await notify.act("PATCH", path, {"disabled": False, "name": "new"}))["name"] == "new"
    await notify.act("DELETE", path)
    assert (await notify.http.get(path)).status_code == 404
    assert (await notify.http.delete(path)).status_code == 404


async def _read_again(notify: Notify) -> None:
    """Folds the whole stream once more, as a new group that starts at the beginning."""
    async with notify.database.transaction() as connection:
        await connection.execute("delete from offsets")
    publisher = WakingPublisher(notify.database, notify.bus)
    clock = SystemClock()
    worker = Worker(
        "notify-again",
        READ,
        bus=notify.bus,
        database=notify.database,
        publisher=publisher,
        fold=Fold(publisher, clock, timedelta(hours=1)),
        clock=clock,
    )
    running = asyncio.create_task(worker.run())
    ends = await notify.bus.ends(READ)
    await until(lambda: _read_to(notify, ends), 20)
    worker.stop()
    await running


async def _read_to(notify: Notify, ends: Any) -> bool:
    committed = await notify.bus.committed("notify-again", READ)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


async def _is(true: bool) -> bool:
    return true


async def _attempts(notify: Notify, subscription: str, number: int) -> bool:
    items = (await notify.ask(f"/v1/alert-subscriptions/{subscription}/deliveries"))["items"]
    return bool(items) and len(items[0]["attempts"]) >= number


async def _alerts(notify: Notify, number: int) -> bool:
    return await notify.count("alerts") >= number
