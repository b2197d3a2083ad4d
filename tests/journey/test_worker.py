"""The journey's worker: once, whoever races and whatever is told again; and what silence changes."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

import asyncpg
import pytest

from jornada.bus import timers
from jornada.bus.carrier import Bus
from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.bus.worker import Outdated, Refused
from jornada.db import Database
from jornada.events import REJECTIONS, JourneySnapshot, MergedInto, Rejection, SubjectId, WorkspaceId, decode, new_id
from services.journey.domain.people import NOBODY
from services.journey.domain.rules import SHOP
from services.journey.domain.state import FOLD
from services.journey.domain.vocabulary import Meaning
from services.journey.store import buckets, in_force, retention, subjects
from services.journey.worker.settling import TIMER
from tests.conftest import DatabaseFactory
from tests.journey.lives import Lives, shuffled
from tests.journey.makes import Folding, at, day_of, touchpoint


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def test_replaying_everything_changes_nothing_and_publishes_it_again(database: Database) -> None:
    folding = Folding(database)
    told = [touchpoint(f"m{n}", n, event="Report Exported", user_id="ana") for n in range(6)]
    await folding.fold(*told)
    before = await folding.told("user_id", "ana")
    published = len(folding.topic.records)
    subjects = await folding.fold(*told)
    assert await folding.told("user_id", "ana") == before
    assert before is not None
    assert [subject.id for subject in subjects] == [before.subject_id]
    assert len(folding.topic.records) == published + 1
    assert folding.topic.records[-1] == folding.topic.records[-2]


async def test_a_second_payload_of_an_id_is_reported_and_the_first_holds(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("m1", 0, type="identify", user_id="ana", traits={"name": "Ana"}))
    await folding.fold(touchpoint("m1", 0, type="identify", user_id="zoe", traits={"name": "Zoe"}))
    told = await folding.told("user_id", "ana")
    assert told is not None
    assert told.traits == {"name": "Ana"}
    assert await folding.told("user_id", "zoe") is None
    rejected = [record for record in folding.topic.records if record.topic == REJECTIONS.name]
    rejection: Rejection = decode(rejected[0].value, Rejection)
    assert (rejection.code, rejection.message_id, len(rejected)) == ("payload_differs", "m1", 1)


async def test_two_workers_racing_for_one_customer_leave_the_newest_last(database: Database) -> None:
    one = Folding(database)
    other = Folding(database, workspace=one.workspace)
    other.topic = one.topic
    other.publisher._bus = cast(Bus, one.topic)
    await one.fold(touchpoint("m", 0, user_id="ana", anonymous_id="phone"))
    for n in range(8):
        one.topic.delays = [0.03, 0.0, 0.02, 0.0]
        await asyncio.gather(
            one.fold(touchpoint(f"a{n}", n, user_id="ana", event="Report Exported")),
            other.fold(touchpoint(f"b{n}", n, anonymous_id="phone", event="Report Exported")),
        )
        told = await one.told("user_id", "ana")
        assert told is not None
        assert told.touchpoints == 2 * n + 3
        last = one.topic.last(told.subject_id)
        assert isinstance(last, JourneySnapshot)
        assert (last.version, last.touchpoints) == (told.version, told.touchpoints)


async def test_a_merge_publishes_both_and_the_loser_answers_with_the_survivor(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("m1", 0, user_id="old", event="Report Exported"))
    await folding.fold(touchpoint("m2", 1, user_id="new", event="Report Exported"))
    first, second = await folding.id_of("user_id", "old"), await folding.id_of("user_id", "new")
    assert first is not None
    assert second is not None
    await folding.fold(touchpoint("m3", 2, type="alias", user_id="new", previous_id="old"))
    assert await folding.id_of("user_id", "new") == first
    lost, kept = folding.topic.last(second), folding.topic.last(first)
    assert isinstance(lost, MergedInto)
    assert isinstance(kept, JourneySnapshot)
    assert (lost.into, kept.touchpoints) == (first, 3)
    assert lost.version != kept.version


async def test_whom_a_batch_changed_is_told_though_the_process_died_and_a_record_that_named_them_names_another(
    database: Database,
) -> None:
    folding = Folding(database)
    twin = touchpoint("m2", 1, user_id="new", event="Report Exported")
    await folding.fold(touchpoint("m1", 0, user_id="old", event="Report Exported"))
    await folding.fold(twin)
    first, second = await folding.id_of("user_id", "old"), await folding.id_of("user_id", "new")
    assert first is not None
    assert second is not None
    batch = [twin, touchpoint("m3", 2, type="alias", user_id="new", previous_id="old")]
    await folding.commit(*batch)
    await folding.fold(*batch)
    await _swept(folding)
    lost, kept = folding.topic.last(second), folding.topic.last(first)
    assert isinstance(lost, MergedInto)
    assert isinstance(kept, JourneySnapshot)
    assert (lost.into, kept.touchpoints) == (first, 3)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whom_no_record_will_name_again_is_marked(database: Database, seed: int) -> None:
    folding = Folding(database, now=at(365))
    told = shuffled(Lives(seed, ours=False).draw(2_000), seed)
    for batch in (told[start : start + 100] for start in range(0, len(told), 100)):
        would = await folding.commit(*batch)
        async with database.transaction([folding.workspace]) as connection:
            rows = await connection.fetch("delete from unpublished returning subject")
        marked = {Subject(folding.workspace, row["subject"]) for row in rows}
        assert would - marked <= await folding.commit(*batch)
    while await folding.refolder.work():
        pass


async def _swept(folding: Folding) -> None:
    """Lets all that waits be published, as it is a few seconds later."""
    async with folding.database.transaction([folding.workspace]) as connection:
        await connection.execute("update unpublished set since = since - interval '1 minute'")
    await folding.publisher.sweep()


async def test_a_stage_changes_by_silence_at_its_very_instant_and_not_before_the_log_is_folded(
    database: Database,
) -> None:
    folding = Folding(database, now=at(5))
    told = [touchpoint("m0", 0, event="Signed Up", user_id="ana")]
    told += [touchpoint(f"m{day}", day, event="Report Exported", user_id="ana") for day in (1, 2, 3)]
    await folding.fold(*told)
    due = at(3) + timedelta(days=14)
    folded = due - timedelta(seconds=1)

    async def folded_until() -> datetime:
        return folded

    ticker = folding.ticker(folded_until)
    id_ = await folding.id_of("user_id", "ana")
    assert id_ is not None
    folding.clock.at = due - timedelta(microseconds=1)
    await ticker.tick()
    folding.clock.at = due + timedelta(hours=5)
    await ticker.tick()
    early = folding.topic.last(id_)
    assert isinstance(early, JourneySnapshot)
    assert early.stage.name == "active"
    folded = due
    await ticker.tick()
    late = folding.topic.last(id_)
    assert isinstance(late, JourneySnapshot)
    assert (late.stage.name, late.stage.entered_at, late.as_of) == ("at_risk", due, due)
    assert late.version > early.version


async def test_who_is_being_folded_keeps_the_timer_until_the_next_look_and_nobody_waits(database: Database) -> None:
    folding = Folding(database, now=at(3))
    for user in "ab":
        await folding.fold(touchpoint(user, 0, event="Signed Up", user_id=user))
        await folding.fold(*(touchpoint(f"{user}{n}", n, event="Report Exported", user_id=user) for n in (1, 2, 3)))
    folding.clock.at = at(60)
    ids = [await folding.id_of("user_id", user) for user in "ab"]

    ticker = folding.ticker()

    async def due() -> set[SubjectId]:
        async with database.transaction([folding.workspace]) as connection:
            rows = await timers.due(connection, folding.workspace, [id_ for id_ in ids if id_], TIMER)
        return {id_ for id_, instant in rows.items() if instant <= folding.clock.at}

    assert ids[0] is not None
    assert await due() == set(ids)
    async with database.transaction([folding.workspace]) as connection:
        await subjects.locked(connection, folding.workspace, [ids[0]])
        async with asyncio.timeout(5):
            while await due() != {ids[0]}:
                await ticker.tick()
        await timers.put(connection, [Timer(folding.workspace, ids[0], TIMER, at(59))])
    while await due():
        await ticker.tick()


async def test_a_change_of_rules_tells_every_subject_anew(database: Database) -> None:
    folding = Folding(database, now=at(20))
    await folding.fold(*(touchpoint(f"m{n}", n, event="Report Exported", user_id=f"u{n % 3}") for n in range(9)))
    async with database.transaction([folding.workspace]) as connection:
        await in_force.choose(connection, folding.workspace, SHOP)
    assert await folding.refolder.work() == 3
    assert await folding.refolder.work() == 0
    id_ = await folding.id_of("user_id", "u1")
    assert id_ is not None
    last = folding.topic.last(id_)
    assert isinstance(last, JourneySnapshot)
    assert (last.rules, last.measures.use) == ("shop", None)


async def test_no_row_of_another_workspace_is_seen_without_a_where(database: Database) -> None:
    mine, theirs = Folding(database), Folding(database)
    for each in (mine, theirs):
        async with database.transaction([each.workspace]) as connection:
            await in_force.define(connection, each.workspace, "segment", "all", b'{"count":"custom","is":0}', at(0))
            await in_force.speak(connection, each.workspace, {"X": Meaning(use=False)}, new_id(), at(0))
            await retention.write(connection, each.workspace, None, new_id(), at(0))
            await buckets.save(connection, buckets.Account(each.workspace, SubjectId(new_id()), 0, ()), "", NOBODY)
        await each.fold(
            touchpoint("m1", 0, user_id="ana", anonymous_id="phone"),
            touchpoint("m2", 1, type="group", user_id="ana", group_id="acme"),
            touchpoint("m3", 1, type="alias", user_id="ana", previous_id="cookie"),
            touchpoint("m4", 1, type="identify", user_id="ana", traits={"email": "a@x.com"}),
            touchpoint("m5", 1, type="identify", user_id="bia", traits={"email": "a@x.com"}),
            touchpoint("m6", 1, type="identify", anonymous_id="phone", traits={"email": "b@x.com"}),
        )
        ana, bia = await each.id_of("user_id", "ana"), await each.id_of("user_id", "bia")
        assert ana is not None
        assert bia is not None
        said = await each.merger.merge(each.workspace, ana, bia, new_id())
        assert said is not None
        await each.merger.undo(each.workspace, said, new_id())
    tables = (
        "accepted", "touchpoints", "identifiers", "device_users", "aliases", "device_facts", "subjects", "sessions",
        "account_shares", "refolds", "workspaces", "conditions", "memberships", "email_pairs", "email_facts",
        "merges", "undos", "refusals", "vocabulary", "retention", "account_buckets", "account_changes",
    )  # fmt: skip
    async with database.transaction([mine.workspace]) as connection:
        for table in tables:
            rows = await connection.fetch(f"select distinct workspace from {table}")
            assert [row["workspace"] for row in rows] == [mine.workspace], table
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([mine.workspace]) as connection:
            await connection.execute(
                "insert into workspaces (workspace, rules) values ($1, 'shop')", WorkspaceId(new_id())
            )


async def test_a_state_of_an_older_fold_is_folded_again_first(database: Database) -> None:
    folding = Folding(database)
    told = [touchpoint(f"m{n}", n, event="Report Exported", user_id="ana") for n in range(4)]
    await folding.fold(*told[:3])
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set fold = $1, state = 'unreadable'", FOLD - 1)
    await folding.fold(told[3])
    told_now = await folding.told("user_id", "ana")
    assert told_now is not None
    assert (told_now.touchpoints, told_now.sessions) == (4, 4)


async def test_a_state_of_a_newer_fold_stops_the_worker(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("m1", 0, user_id="ana"))
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set fold = $1", FOLD + 1)
    with pytest.raises(Outdated):
        await folding.fold(touchpoint("m2", 0, user_id="ana"))


async def test_a_touchpoint_that_names_nobody_is_refused(database: Database) -> None:
    with pytest.raises(Refused):
        await Folding(database).fold(touchpoint("m1", 0))


async def test_an_account_tells_its_people_and_its_contract(database: Database) -> None:
    folding = Folding(database, now=at(10))
    await folding.fold(
        touchpoint("g1", 0, type="group", user_id="ana", group_id="acme", traits={"name": "Acme"}),
        touchpoint("g2", 1, user_id="ana", event="Report Exported"),
        touchpoint("g3", 1, type="group", user_id="bia", group_id="acme"),
        touchpoint(
            "g4",
            2,
            event="Subscription Started",
            group_id="acme",
            role="billing",
            properties={"plan": "pro", "mrr": 49.9},
        ),
    )
    await folding.refolder.work()
    account = await folding.told("account", "acme")
    ana = await folding.told("user_id", "ana")
    assert account is not None
    assert ana is not None
    assert (account.measures.people, account.measures.people_by_day) == (2, [(day_of(1), 1)])
    assert account.measures.billing is not None
    assert (account.measures.billing.plan, account.traits) == ("pro", {"name": "Acme"})
    assert account.measures.billing.mrr is not None
    assert account.measures.billing.mrr.amount == "49.9"
    assert ana.account_id == account.subject_id
    assert ana.measures.billing is None
    published = folding.topic.last(account.subject_id)
    assert isinstance(published, JourneySnapshot)
    assert published.touchpoints == account.touchpoints == 4
