"""Any order, any batching, merges, erasures, and components that connect."""

import asyncio
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from jornada.bus import timers
from jornada.bus.carrier import BusUnavailable
from jornada.bus.timers import Timer
from jornada.events import (
    Billing,
    Erased,
    JourneyEvent,
    Measures,
    MergedInto,
    Money,
    ScoreErased,
    ScoreMergedInto,
    ScoreSnapshot,
    Support,
)
from jornada.events.journeys import Identifier
from jornada.web import Reference
from services.scoring import rescoring
from services.scoring.rescoring import Rescoring
from services.scoring.store.facts import RESCORE
from services.scoring.store.reading import Readings
from tests.scoring.harness import Scoring, received
from tests.scoring.journeys import AT, subject_id, use

HOUR = timedelta(hours=1)
_ROWS = """select id, type, journey_version, journey, band, health, risk, mrr, revenue_at_risk, stage, band_since
           from subjects order by id"""


async def state(scoring: Scoring) -> list[Any]:
    bands = await scoring.rows(
        "select subject, band, ordinal, announced, journey_version from recorded_bands order by 1"
    )
    names = await scoring.rows("select type, value, subject from identifiers order by 1, 2, 3")
    return [await scoring.rows(_ROWS), bands, names, await scoring.due()]


async def test_out_of_order_and_duplicate_journeys_give_the_same_rows(scoring: Scoring) -> None:
    measures = Measures(use=use(AT), support=Support(tickets=1), billing=Billing(mrr=Money("10.00", "BRL")))
    log = [scoring.journey(version=each, measures=measures, touchpoints=each, live_at=AT) for each in (1, 2, 3)]
    await scoring.seen(log[-1])
    expected = await state(scoring)
    assert [row["journey_version"] for row in expected[0]] == [3]
    for order in permutations(log):
        again = Scoring(scoring.database)
        again.workspace = scoring.workspace
        for each in (*order, order[0]):
            await again.seen(each)
        await again.seen(*order)
        assert await state(again) == expected
    await scoring.rows("delete from subjects")
    await scoring.rows("delete from recorded_bands")
    for each in log:
        await scoring.seen(each)
    assert await state(scoring) == expected


async def test_a_version_only_ever_grows(scoring: Scoring) -> None:
    for version in (1, 2, 3):
        await scoring.seen(scoring.journey(version=version))
    versions = [each.version for each in scoring.scores()]
    assert versions == sorted(set(versions))
    await scoring.seen(scoring.journey(version=2))
    assert scoring.scores()[-1].version == versions[-1]


async def test_whom_no_touchpoint_is_left_of_has_no_scores_until_there_is_one(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey("ana", live_at=AT))
    before = await state(scoring)
    assert before[3] != {}
    await scoring.seen(scoring.journey("ana", version=2, touchpoints=0, measures=Measures()))
    rows, bands, names, due = await state(scoring)
    assert [(row["journey_version"], row["journey"], row["band"]) for row in rows] == [(2, None, None)]
    assert (bands, names, due) == (before[1], [], {})
    assert isinstance(scoring.scores()[-1], ScoreErased)
    await scoring.seen(scoring.journey("ana", version=3, live_at=AT))
    assert isinstance(scoring.scores()[-1], ScoreSnapshot)
    assert (await state(scoring))[2:] == before[2:]


async def test_a_merged_subject_answers_with_the_survivors_scores_and_has_no_timer(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey("ana"), scoring.journey("device"))
    both = [Identifier("user_id", "ana"), Identifier("user_id", "device")]
    merged: list[JourneyEvent] = [
        MergedInto(
            workspace=scoring.workspace,
            subject_type="customer",
            subject_id=subject_id("device"),
            version=5,
            into=subject_id("ana"),
        ),
        scoring.journey("ana", version=6, identifiers=both),
    ]
    await scoring.seen(*merged)
    gone = [each for each in scoring.scores() if isinstance(each, ScoreMergedInto)]
    assert [(each.subject_id, each.into) for each in gone] == [(subject_id("device"), subject_id("ana"))]
    readings = Readings(scoring.database)
    for reference in (Reference(subject_id("device")), Reference(None, "user_id", "device")):
        found = await readings.find(scoring.workspace, "customer", reference)
        assert found is not None
        assert found.journey.subject_id == subject_id("ana")
    timers = await scoring.rows("select subject from timers")
    assert {row["subject"] for row in timers} == {subject_id("ana")}
    await scoring.seen(scoring.journey("device", version=9))
    split = await readings.find(scoring.workspace, "customer", Reference(subject_id("device")))
    assert split is not None
    assert split.journey.subject_id == subject_id("device")


async def test_of_an_erased_subject_only_its_version_is_left(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey(measures=Measures(use=use(AT), billing=Billing(cancels_at=AT))))
    assert len(await scoring.rows("select 1 from crossings")) == 1
    erased = Erased(workspace=scoring.workspace, subject_type="customer", subject_id=subject_id("ana"), version=7)
    await scoring.seen(erased)
    told = scoring.scores()
    assert isinstance(told[-1], ScoreErased), "compaction keeps the last of a key: it must not be a score"
    assert told[-1].version > max(each.version for each in told[:-1])
    (row,) = await scoring.rows("select * from subjects")
    assert {name for name, value in row.items() if value is not None} == {
        *("workspace", "id", "type", "journey_version", "version", "revenue_at_risk", "score", "forgotten"),
        *("grounds", "segments"),
    }
    assert row["segments"] == "[]"
    for table in ("identifiers", "history", "recorded_bands", "crossings", "timers", "outbox", "pending"):
        assert await scoring.rows(f"select 1 from {table}") == []
    await scoring.seen(scoring.journey(version=3))
    await scoring.seen(erased)
    await scoring.pass_to(AT + timedelta(days=400))
    assert scoring.scores()[-1] == told[-1], "whatever comes again or falls due"
    assert await Readings(scoring.database).find(scoring.workspace, "customer", Reference(subject_id("ana"))) is None


async def test_a_component_that_connects_rescores_everybody_and_tells_nobody(scoring: Scoring) -> None:
    quiet = use(AT - timedelta(days=12), count=3.0)
    await scoring.seen(scoring.journey("ana", measures=Measures(use=quiet)))
    assert [row["band"] for row in await scoring.rows("select band from subjects")] == ["red"]
    told = len(scoring.crossings())
    scoring.clock.at = AT + HOUR
    ticket = Measures(use=use(AT), support=Support(tickets=1))
    await scoring.seen(scoring.journey("bia", measures=ticket, as_of=AT + HOUR))
    assert await Rescoring(scoring.database, scoring.clock).ask() == 1
    assert [row["subject"] for row in await scoring.rows("select subject from timers where name = 'rescore'")] == [
        subject_id("ana")
    ]
    await scoring.pass_to(AT + HOUR)
    newest = {each.subject_id: each for each in scoring.scores() if isinstance(each, ScoreSnapshot)}
    assert [each.name for each in newest[subject_id("ana")].health.components] == ["adoption", "support"]
    assert len(scoring.crossings()) == told
    assert "rescore" not in await scoring.due()
    assert await Rescoring(scoring.database, scoring.clock).ask() == 0


async def test_of_many_some_are_asked_for_at_a_time_and_none_whose_journey_came_meanwhile(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "MOST", 2)
    names = ["ana", "bia", "caio", "davi", "eva"]
    await scoring.seen(*(scoring.journey(name, measures=Measures(use=use(AT))) for name in names))
    scoring.clock.at = AT + HOUR
    await scoring.seen(scoring.journey("filo", as_of=AT + HOUR))
    some = Rescoring(scoring.database, scoring.clock)
    assert [await some.ask(), await some.ask()] == [2, 2]
    last = max(names, key=subject_id)
    await scoring.seen(scoring.journey(last, version=2, measures=Measures(use=use(AT))))
    assert await some.ask() == 0
    assert await scoring.pass_to(AT + HOUR) == 4


async def test_who_was_scored_since_is_not_scored_as_of_an_earlier_instant(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey(measures=Measures(use=use(AT))))
    await scoring.seen(scoring.journey("bia"))
    await Rescoring(scoring.database, scoring.clock).ask()
    scoring.clock.at = AT + HOUR
    await scoring.seen(scoring.journey(version=2, measures=Measures(use=use(AT))))
    assert await scoring.pass_to(AT + HOUR) == 0
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await timers.put(connection, [Timer(scoring.workspace, subject_id("ana"), RESCORE, AT)])
    assert await scoring.pass_to(AT + 2 * HOUR) == 1, "one that a release before this one has left"
    at = await scoring.rows("select at from history where subject = $1 order by version", subject_id("ana"))
    assert [row["at"] for row in at] == [AT, AT + HOUR, AT + HOUR]


async def test_who_connects_a_component_and_who_fires_wait_for_nobody(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey("ana", measures=Measures(use=use(AT))))
    due, *_ = [Timer(scoring.workspace, subject_id("ana"), *each) for each in (await scoring.due()).items()]
    other = Scoring(scoring.database)
    other.workspace = scoring.workspace
    async with asyncio.timeout(5), scoring.database.transaction([scoring.workspace]) as connection:
        await connection.execute("select from subjects for update")
        await connection.execute("select from timers for update")
        await other.seen(scoring.journey("bia"))
        assert await scoring.folding.fire(connection, [due])
    await scoring.rows("delete from connected")
    async with asyncio.timeout(5), scoring.database.transaction([scoring.workspace]) as connection:
        await scoring.folding.fold(connection, [received(0, scoring.journey("caio"))])
        await other.seen(scoring.journey("davi"))


async def test_what_fires_again_is_published_by_the_sweep_after_a_crash(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    scoring.bus.down = 1
    with pytest.raises(BusUnavailable):
        await scoring.pass_to(AT + timedelta(days=15))
    assert scoring.scores()[-1].health.band == "green"
    await scoring.rows("update unpublished set since = since - interval '1 minute'")
    await scoring.publisher.sweep()
    assert scoring.scores()[-1].health.band == "yellow"
