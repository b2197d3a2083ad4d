"""What is acknowledged is durable; what came before is known again."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from jornada.bus.carrier import BusUnavailable, Record
from jornada.events import REJECTIONS, TOUCHPOINTS, WorkspaceId
from services.ingest.domain.express import sent
from services.ingest.domain.verdicts import Result
from services.ingest.limits import Budget
from tests.ingest.makes import GRANT, WORKSPACE, Ingest, batch, event


async def take(ingest: Ingest, *events: object) -> Iterable[Result]:
    return await ingest.take(sent(batch(*events), "batch"), GRANT)


def statuses(results: Iterable[Result]) -> list[str]:
    return [f"{each.status} {each.code or ''}".strip() for each in results]


async def test_nothing_is_acknowledged_before_the_bus_has_answered() -> None:
    ingest = Ingest()
    ingest.bus.gate = asyncio.Event()
    taking = asyncio.create_task(take(ingest, event()))
    await asyncio.sleep(0.05)
    assert not taking.done()
    ingest.bus.gate.set()
    assert statuses(await taking) == ["accepted"]


async def test_a_request_is_published_at_once_and_its_refusals_with_it() -> None:
    ingest = Ingest()
    results = await take(ingest, event(messageId="a"), event(messageId="b", userId="null"), event(messageId="c"))
    assert statuses(results) == ["accepted", "rejected id_illegal", "accepted"]
    assert ingest.bus.attempts == 1
    assert [each.topic for each in ingest.bus.records] == [TOUCHPOINTS.name, TOUCHPOINTS.name, REJECTIONS.name]
    assert {each.key for each in ingest.bus.records} == {f"{WORKSPACE}/42".encode(), f"{WORKSPACE}/app".encode()}


async def test_the_same_again_is_a_duplicate_and_another_payload_is_told() -> None:
    ingest = Ingest()
    await take(ingest, event())
    again = await take(ingest, event(), event(properties={"a": 1}), event(sentAt="2026-01-01T00:00:00Z"))
    assert statuses(again) == ["duplicate", "duplicate payload_differs", "duplicate"]
    assert len(ingest.bus.records) == 1


async def test_one_id_of_two_sources_or_workspaces_is_two_events() -> None:
    ingest = Ingest()
    request = sent(batch(event()), "batch")
    for grant in (GRANT, replace(GRANT, source="web"), replace(GRANT, workspace=WorkspaceId(UUID(int=9)))):
        assert statuses(await ingest.take(request, grant)) == ["accepted"]


async def test_twins_of_one_request_are_published_once() -> None:
    ingest = Ingest()
    results = await take(ingest, event(), event(), event(event="B"))
    assert statuses(results) == ["accepted", "duplicate", "duplicate payload_differs"]
    assert len(ingest.bus.records) == 1


@pytest.mark.parametrize("away", [False, True])
async def test_a_twin_in_flight_shares_its_outcome(away: bool) -> None:
    ingest = Ingest()
    ingest.bus.gate, ingest.bus.away = asyncio.Event(), away
    takings = [asyncio.create_task(take(ingest, event())) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(each.done() for each in takings)
    ingest.bus.gate.set()
    outcomes = await asyncio.gather(*takings, return_exceptions=True)
    if away:
        assert all(isinstance(each, BusUnavailable) for each in outcomes)
    else:
        assert [statuses(each) for each in outcomes if not isinstance(each, BaseException)] == [
            ["accepted"],
            ["duplicate"],
            ["duplicate"],
        ]
    assert ingest.bus.attempts == 1


async def test_what_failed_is_not_remembered() -> None:
    ingest = Ingest()
    ingest.bus.away = True
    with pytest.raises(BusUnavailable):
        await take(ingest, event())
    ingest.bus.away = False
    assert statuses(await take(ingest, event())) == ["accepted"]


async def test_a_passing_fault_is_bridged() -> None:
    ingest = Ingest(patience=5)
    ingest.bus.away = True
    published = ingest.bus.publish

    async def healing(records: Sequence[Record], deadline: float = 8.5) -> None:
        ingest.bus.away = ingest.bus.attempts < 2
        await published(records, deadline)

    ingest.bus.publish = healing  # type: ignore[method-assign]
    assert statuses(await take(ingest, event())) == ["accepted"]
    assert ingest.bus.attempts == 3


@pytest.mark.parametrize("also", [[], [event(messageId="refused", event="")]], ids=["all taken", "one refused"])
async def test_a_publish_that_hangs_ends_as_unavailable(also: list[object]) -> None:
    ingest = Ingest(patience=0.1)
    ingest.bus.gate = asyncio.Event()
    with pytest.raises(BusUnavailable):
        await take(ingest, event(), *also)
    assert not ingest.bus.records


async def test_what_the_stream_cannot_take_at_once_is_published_patiently() -> None:
    ingest = Ingest()
    ingest.bus.is_full = True
    assert statuses(await take(ingest, event())) == ["accepted"]
    assert statuses(await take(ingest, event())) == ["duplicate"]
    assert len(ingest.bus.records) == 1


async def test_what_fails_for_good_is_told_and_may_come_again() -> None:
    ingest = Ingest()
    for full in (False, True):
        ingest.bus.is_full, ingest.bus.away = full, True
        with pytest.raises(BusUnavailable):
            await take(ingest, event(messageId=f"{full}"))
        ingest.bus.away = False
        assert statuses(await take(ingest, event(messageId=f"{full}"))) == ["accepted"]


async def test_a_twin_waits_for_the_one_before_it_in_another_request() -> None:
    ingest = Ingest()
    ingest.bus.gate = asyncio.Event()
    first = asyncio.create_task(take(ingest, event()))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(take(ingest, event()))
    await asyncio.sleep(0.01)
    assert not first.done()
    assert not second.done()
    ingest.bus.gate.set()
    assert [statuses(await each) for each in (first, second)] == [["accepted"], ["duplicate"]]
    assert len(ingest.bus.records) == 1


def test_the_budget_is_never_overdrawn() -> None:
    budget = Budget(10)
    assert budget.take(6)
    assert not budget.take(5)
    budget.give_back(6)
    assert budget.take(10)


async def test_watchers_see_their_workspace_only_and_never_more_than_they_can_take() -> None:
    ingest = Ingest()
    with ingest.live.watch(WORKSPACE) as watcher:
        await take(ingest, event(), event(messageId="b", event=""))
        shown = [watcher.queue.get_nowait() for _ in range(2)]
        assert [(each.event, each.status, each.code) for each in shown] == [
            ("Report Exported", "accepted", None),
            ("", "rejected", "event_missing"),
        ]
        await take(ingest, *(event(messageId=f"many-{number}") for number in range(1_200)))
        assert (watcher.queue.qsize(), watcher.dropped) == (1_000, 200)
    assert not ingest.live.watched(WORKSPACE)
