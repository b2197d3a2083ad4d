"""The laws of the story, and its telling."""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
from hypothesis import given
from hypothesis import strategies as st

from jornada.clock import SystemClock
from services.console.sisters import Name
from services.console.story.cast import ACCOUNTS
from services.console.story.tale import ROLES, WITNESS, first_told, people, story
from services.console.story.telling import STEPS, Telling
from tests.console.fakes import NOW, TOKEN, FakeSisters, person

MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_KNOWN = {"identify", "track", "page", "group"}
_DAY = timedelta(days=1)


@given(MOMENTS)
def test_nothing_of_the_story_lies_in_the_future(now: datetime) -> None:
    for line in story(now):
        if not line.live:
            assert datetime.fromisoformat(line.event["timestamp"]) <= now


@given(MOMENTS, st.integers(0, 86_399))
def test_the_same_day_tells_the_same_story(now: datetime, seconds: int) -> None:
    other = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=seconds)
    assert story(now) == story(other)


@given(MOMENTS, st.integers(1, 400))
def test_told_again_on_another_day_only_what_happens_now_is_new(now: datetime, days: int) -> None:
    first = {line.event["messageId"]: line for line in story(now)}
    witnessed = [line.event for line in first.values() if of(WITNESS, line.event) and not line.live]
    seen_at = min(datetime.fromisoformat(event["timestamp"]) for event in witnessed)
    later = story(now + days * _DAY, first_told(seen_at))
    for line in later:
        assert line.live or first[line.event["messageId"]] == line
    assert all(line.event["messageId"] not in first for line in later if line.live)


def test_every_event_is_one_that_ingest_takes() -> None:
    lines = story(NOW)
    ids = [line.event["messageId"] for line in lines]
    assert len(set(ids)) == len(ids)
    for line in lines:
        event = line.event
        assert event["type"] in _KNOWN
        assert re.fullmatch(r"[\x21-\x7e]{1,100}", event["messageId"])
        assert any(isinstance(value, str) and value for value in named(event))
        assert event["type"] != "track" or event["event"]
        assert len(json.dumps(event)) < 32_000
        assert line.source in ROLES
        assert line.live == ("timestamp" not in event)


def test_acts_of_use_are_the_peoples_own() -> None:
    """Tickets and payments come from sources whose role says that they are about the customer."""
    about = ("Support ", "Payment ", "Subscription ")
    for line in story(NOW):
        told_by = ROLES[line.source]
        assert (told_by == "product") == (not str(line.event.get("event", "")).startswith(about))


def test_the_cast_is_consistent() -> None:
    everybody = [person for account in ACCOUNTS for person in account.people]
    assert len(people()) == len(everybody)
    for account in ACCOUNTS:
        for each in account.people:
            assert max(each.uses) <= each.signed_up <= account.began
            assert min(each.uses) >= 1


async def test_the_story_is_told_in_order_and_says_how_far_it_is() -> None:
    fakes, sent = FakeSisters(), Counter[str]()
    everybody = [each.key for account in ACCOUNTS for each in account.people]
    fakes.posts = ingest(sent)
    for key in everybody:
        fakes.put("journey", f"/v1/customers/user_id:story-{key}", {**person(key, key), "touchpoints": 900})
        fakes.put("scoring", f"/v1/customers/user_id:story-{key}/scores", {"journey_version": 7})
    red = person("beatriz", "x")["customer_id"]
    fakes.put("notify", "/v1/alerts", {"items": [{"subject": {"id": red}}]})
    fakes.put("notify", f"/v1/customers/{red}/messages", {"items": [{}]})
    sisters = fakes.client()
    await sisters.start()
    telling = Telling(sisters, SystemClock())
    assert telling.progress(TOKEN) == []
    steps = await telling.tell(TOKEN)
    assert [(step.name, step.state) for step in steps] == [(name, "done") for name in STEPS]
    assert sent["events"] == len(story(NOW))
    order = [request.url.path for request in fakes.asked if request.method != "GET"]
    assert order.index("/v1/campaigns/story-retention/start") < order.index("/v1/batch")
    await telling.stop()
    await sisters.stop()


async def test_a_story_that_cannot_be_told_says_which_step_failed() -> None:
    fakes = FakeSisters()
    fakes.posts = lambda _service, _request: httpx.Response(403, json={"code": "forbidden", "message": "no scope"})
    sisters = fakes.client()
    await sisters.start()
    steps = await Telling(sisters, SystemClock()).tell(TOKEN)
    assert [(step.state, step.detail) for step in steps[:2]] == [("failed", "no scope"), ("waiting", "")]
    await sisters.stop()


def ingest(sent: Counter[str]) -> "Answering":
    return Answering(sent)


class Answering:
    """Takes what is posted and counts the events."""

    def __init__(self, sent: Counter[str]) -> None:
        self._sent = sent

    def __call__(self, service: Name, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/batch":
            events = json.loads(request.content)["batch"]
            self._sent["events"] += len(events)
            return httpx.Response(200, json={"success": True, "results": [{"status": "accepted"} for _ in events]})
        if request.url.path == "/v1/keys":
            return httpx.Response(201, json={"write_key": "wk_story"})
        if request.url.path == "/v1/sources":
            return httpx.Response(409, json={"code": "source_taken", "message": "exists"})
        return httpx.Response(200, json={})


def named(event: dict[str, object]) -> list[object]:
    context = event.get("context")
    return [
        event.get("userId"),
        event.get("anonymousId"),
        context.get("groupId") if isinstance(context, dict) else None,
    ]


def of(key: str, event: dict[str, object]) -> bool:
    return str(event.get("userId", event.get("anonymousId", ""))).startswith(f"story-{key}")
