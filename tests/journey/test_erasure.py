"""Who is erased is no more, and what was said of them before never comes back, whatever comes when."""

import asyncio
import random
from datetime import datetime
from typing import Any

import pytest

from jornada import crashpoints
from jornada.bus.carrier import Received
from jornada.db import Database
from jornada.events import (
    ERASURES,
    Erased,
    ErasureAsked,
    ErasureConfirmed,
    ErasureDone,
    ErasureEvent,
    JourneySnapshot,
    MergedInto,
    SubjectId,
    decode,
    encode,
    new_id,
    topic_key,
)
from services.journey.store import erasures, replays, traces
from services.journey.store.erasures import Erasure
from services.journey.worker import erasing
from services.journey.worker.confirming import ErasureFold
from tests.conftest import DatabaseFactory
from tests.holding import holding
from tests.journey.makes import PSEUDONYMS, Folding, at, touchpoint
from tests.journey.test_order import identifiers_of

BY = new_id()
WORDS = ("ana-7", "ana-phone", "ana@example.com", "Ana Souza", "a-ring")
MAIL = {"email": "Ana@example.com", "name": "Ana Souza"}
ANA = [
    touchpoint("a1", 0, anonymous_id="ana-phone", properties={"bought": "a-ring"}),
    touchpoint("a2", 1, event="Signed Up", user_id="ana-7", anonymous_id="ana-phone"),
    touchpoint("a3", 2, type="identify", user_id="ana-7", traits=MAIL),
    touchpoint("a4", 3, type="group", user_id="ana-7", group_id="acme", traits={"name": "Acme", "plan": "pro"}),
    touchpoint("a5", 4, event="Order Completed", user_id="ana-7", properties={"item": "a-ring", "revenue": 5}),
    touchpoint("a9", 7, event="Report Exported", user_id="ana-7", anonymous_id="tablet"),
]
TYING = ANA[1:3]
"""What makes her device and her e-mail hers."""
OTHERS = [
    touchpoint("b1", 0, type="group", user_id="bia", group_id="acme", traits={"seats": 3}),
    touchpoint("b2", 3, event="Report Exported", user_id="bia", anonymous_id="tablet"),
    touchpoint("b3", 4, event="Report Exported", anonymous_id="tablet"),
    touchpoint("b4", 5, event="Subscription Started", group_id="acme", role="billing", properties={"plan": "gold"}),
]
LATER = [
    touchpoint("a6", 20, event="Report Exported", user_id="ana-7", anonymous_id="ana-phone"),
    touchpoint("a7", 21, type="identify", user_id="ana-7", traits={"email": "ana@example.com"}),
]
ERASED_AT = at(10)


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def erase(
    folding: Folding, value: str = "ana-7", when: datetime = ERASED_AT, type_: str = "user_id", *, block: bool = False
) -> Erasure:
    folding.clock.at, before = when, folding.clock.at
    id_ = await folding.id_of(type_, value)
    assert id_ is not None
    erasure = await folding.eraser.erase(folding.workspace, id_, block=block, by=BY)
    folding.clock.at = before
    assert erasure is not None
    return erasure


async def stored(folding: Folding, erasure: Erasure) -> Erasure:
    async with folding.database.transaction([folding.workspace]) as connection:
        found = await erasures.one(connection, folding.workspace, erasure.id)
    assert found is not None
    return found


def events_of(folding: Folding) -> list[ErasureEvent]:
    return [decode(each.value, ErasureEvent) for each in folding.topic.records if each.topic == ERASURES.name]


def told(event: ErasureEvent) -> Received:
    return Received(ERASURES.name, 0, 0, topic_key(event.workspace, event.erasure), encode(event), (), at(0))


async def heard(folding: Folding, *events: ErasureEvent) -> None:
    fold = ErasureFold(folding.publisher, folding.eraser, folding.clock)
    async with folding.database.transaction([folding.workspace]) as connection:
        subjects = await fold(connection, [told(each) for each in events])
    await folding.publisher.publish(subjects)
    await folding.publisher.drain([folding.workspace])


async def waiting(folding: Folding) -> list[Any]:
    """The subjects that are still to be published."""
    async with folding.database.transaction([folding.workspace]) as connection:
        return list(await connection.fetch("select subject, version from unpublished"))


@pytest.mark.parametrize("seed", range(12))
async def test_erased_early_or_late_is_as_never_having_been_but_for_what_came_after(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    mine = chance.sample(ANA, len(ANA))
    rest = chance.sample([*OTHERS, *LATER], len(OTHERS) + len(LATER))
    known = 1 + max(mine.index(each) for each in TYING)
    cut = chance.randint(known, len(mine))
    early = chance.sample([*mine[:cut], *(each for each in rest if each not in LATER)], cut + len(OTHERS))
    late = [*mine[cut:], *LATER, *chance.sample(ANA, 2)]
    chance.shuffle(late)
    folding, plain = Folding(database), Folding(database)
    for start in range(0, len(early), 3):
        await folding.fold(*early[start : start + 3])
    await erase(folding)
    for each in late:
        await folding.fold(each)
    await plain.fold(*OTHERS, *LATER)
    of = identifiers_of([*ANA, *OTHERS])
    assert await folding.everything(of) == await plain.everything(of)
    for value in ("bia", "ana-7"):
        now = await folding.told("user_id", value)
        assert now is not None
        last = folding.topic.last(now.subject_id)
        assert isinstance(last, JourneySnapshot)
        assert last.touchpoints == now.touchpoints
    assert await waiting(folding) == []


async def test_no_table_holds_anything_of_the_erased_and_all_hold_the_others(
    database: Database, postgres_url: str
) -> None:
    folding = Folding(database)
    await folding.fold(*ANA)
    await folding.fold(*OTHERS, touchpoint("b5", 6, user_id="bia", anonymous_id="shared", event="Report Exported"))
    await folding.fold(touchpoint("a8", 7, user_id="ana-7", anonymous_id="shared", event="Report Exported"))
    await folding.fold(touchpoint("alias", 7, user_id="ana-7", type="alias", previous_id="ana-7-old"))
    words = (*WORDS, "ana-7-old")
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute(
            """insert into earlier_emails (workspace, by_device, due_at, device, occurred_at, message_id, source)
               values ($1, true, $2, 'ana-phone', $2, 'a1', 'app')""",
            folding.workspace,
            at(999),
        )
        replay = new_id()
        begun = await replays.begin(connection, folding.workspace, replay, at(9), BY)
        assert begun is not None
        standing = ["ana-phone", "0", "a1", "app"]
        await replays.note(connection, folding.workspace, begun._replace(step="devices", place=standing))
    assert {word for _, word in await holding(postgres_url, words, ["journey"], folding.workspace)} == set(words)
    await erase(folding)
    while await folding.refolder.work():
        pass
    assert await holding(postgres_url, words, ["journey"], folding.workspace) == set()
    shared = await folding.told("anonymous_id", "shared")
    assert shared is not None
    assert shared.subject_id == await folding.id_of("user_id", "bia")


async def test_a_replay_that_ended_early_does_not_say_at_whom(database: Database, postgres_url: str) -> None:
    folding, replay = Folding(database), new_id()
    async with database.transaction([folding.workspace]) as connection:
        begun = await replays.begin(connection, folding.workspace, replay, at(9), BY)
        assert begun is not None
        place = ["email_pairs", "ana-7"]
        await replays.note(connection, folding.workspace, begun._replace(step="facts", place=place))
        await replays.end(connection, folding.workspace, replay, "cancelled", at(9))
    assert await holding(postgres_url, ["ana-7"], ["journey"], folding.workspace) == set()


@pytest.mark.parametrize("left", ["forget_touchpoints", "forget_identifiers", "forget_links", "forget_derived"])
async def test_control_a_store_that_is_left_out_is_seen(
    database: Database, postgres_url: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> Any:
        return set() if left == "forget_links" else []

    folding = Folding(database)
    kept = [each for each in ANA if each.type != "group"]
    await folding.fold(*kept)
    before = await remnants(folding, postgres_url)
    assert before >= {"touchpoints", "identifiers", "device_users", "email_pairs", "sessions"}
    with monkeypatch.context() as patched:
        patched.setattr(traces, left, nothing)
        await erase(folding)
    assert await remnants(folding, postgres_url)
    async with database.transaction([folding.workspace]) as connection:
        for table in ("subjects", "unpublished", "timers", "refolds"):  # which no service could make sense of
            await connection.execute(f"delete from {table}")


async def remnants(folding: Folding, url: str) -> set[str]:
    """The tables with rows of the workspace, save those that say that somebody was erased."""
    kept = {"accepted", "erasures", "erased_subjects", "erased_names", "outbox", "workspaces"}
    found = {
        table.partition(".")[2]
        for table, _ in await holding(url, [str(folding.workspace)], ["journey"], folding.workspace)
    }
    return {table for table in found if not table.startswith("accepted_")} - kept


async def test_late_events_are_dropped_and_counted_once_and_leave_only_that_they_came(
    database: Database, postgres_url: str
) -> None:
    folding = Folding(database)
    await folding.fold(*ANA[:3])
    erasure = await erase(folding)
    late = touchpoint("late", 5, event="Report Exported", user_id="ana-7", properties={"what": "a-ring"})
    for _ in range(2):
        await folding.fold(late, ANA[0])
    other = touchpoint("late", 5, event="Order Completed", user_id="ana-7", properties={"what": "a-ring"})
    await folding.fold(other, touchpoint("by-device", 6, anonymous_id="ana-phone"))
    assert (await stored(folding, erasure)).dropped == 2
    assert await folding.id_of("user_id", "ana-7") is None
    assert await holding(postgres_url, WORDS, ["journey"], folding.workspace) == set()
    assert [
        each for each in folding.topic.records if b"a-ring" in each.value and b"payload_differs" in each.value
    ] == []


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_folded_at_the_very_moment_goes_with_the_rest_and_two_who_ask_erase_once(
    database: Database, postgres_url: str, seed: int
) -> None:
    chance = random.Random(seed)
    folding = Folding(database, at(20))
    await folding.fold(*ANA[:3])
    id_ = await folding.id_of("user_id", "ana-7")
    assert id_ is not None
    erased: list[Erasure | None] = []

    async def ask() -> None:
        await asyncio.sleep(chance.random() * 0.03)
        erased.append(await folding.eraser.erase(folding.workspace, id_, block=False, by=BY))

    more = [
        touchpoint(f"m{n}", n % 9, event="Report Exported", user_id="ana-7", anonymous_id=f"ana-phone-{n}")
        for n in range(12)
    ]
    await asyncio.gather(*(folding.fold(each) for each in (*more, *OTHERS)), ask(), ask())
    await folding.fold(*more)
    assert [each is None for each in erased].count(False) == 1
    assert await folding.id_of("user_id", "ana-7") is None
    assert await holding(postgres_url, ("ana-7", "Ana Souza"), ["journey"], folding.workspace) == set()
    bia = await folding.told("user_id", "bia")
    assert bia is not None
    assert bia.touchpoints == 3


async def test_who_comes_later_is_somebody_new_unless_blocked(database: Database) -> None:
    free, blocked = Folding(database), Folding(database)
    for folding, block in ((free, False), (blocked, True)):
        await folding.fold(*ANA)
        before = await folding.id_of("user_id", "ana-7")
        erasure = await erase(folding, block=block)
        await folding.fold(*LATER)
        now = await folding.told("user_id", "ana-7")
        if block:
            assert now is None
            assert (await stored(folding, erasure)).dropped == len(LATER)
        else:
            assert now is not None
            assert (now.touchpoints, now.subject_id != before) == (len(LATER), True)


async def test_what_we_wrote_ourselves_begins_nobody_anew(database: Database) -> None:
    folding = Folding(database)
    ours = [
        touchpoint(f"o{n}", 10 + n, event="Message Sent", user_id="ana-7", source="jornada", role="messaging")
        for n in range(1, 3)
    ]
    await folding.fold(*ANA)
    await erase(folding)
    await folding.fold(ours[0])
    assert await folding.id_of("user_id", "ana-7") is None
    await folding.fold(*LATER)
    await folding.fold(ours[1])
    found = await folding.told("user_id", "ana-7")
    assert found is not None
    assert found.touchpoints == len(LATER)


async def test_a_shared_device_that_was_the_erased_ones_is_the_latest_ones_of_those_who_are_left(
    database: Database,
) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("t0", 0, anonymous_id="tablet"))
    device = await folding.id_of("anonymous_id", "tablet")
    for days, user in enumerate(("bia", "ana-7", "caio"), 1):
        await folding.fold(touchpoint(f"t{days}", days, user_id=user, anonymous_id="tablet"))
    assert device is not None
    taken_for = folding.topic.last(device)
    assert isinstance(taken_for, MergedInto)
    assert taken_for.into == await folding.id_of("user_id", "ana-7")
    await erase(folding)
    last = folding.topic.last(device)
    assert isinstance(last, MergedInto)
    assert last.into == await folding.id_of("user_id", "caio") == await folding.id_of("anonymous_id", "tablet")
    assert await waiting(folding) == []


async def test_an_account_keeps_what_is_its_own_and_loses_the_persons(database: Database, postgres_url: str) -> None:
    folding, plain = Folding(database), Folding(database)
    own = touchpoint(
        "own", 6, event="Payment Failed", user_id="ana-7", anonymous_id="ana-phone", group_id="acme", role="billing",
        traits=MAIL, properties={"invoice_id": "i-1"},
    )  # fmt: skip
    named_by_device = touchpoint(
        "device", 7, event="Payment Failed", anonymous_id="ana-phone", group_id="acme", role="billing", context=MAIL
    )
    await folding.fold(*ANA, *OTHERS, own, named_by_device)
    await erase(folding)
    while await folding.refolder.work():
        pass
    kept = [touchpoint(each.message_id, days, event="Payment Failed", group_id="acme", role="billing",
                       properties=properties) for each, days, properties in
            ((own, 6, {"invoice_id": "i-1"}), (named_by_device, 7, {}))]  # fmt: skip
    await plain.fold(*OTHERS, *kept)
    while await plain.refolder.work():
        pass
    acme, without = await folding.told("account", "acme"), await plain.told("account", "acme")
    assert acme is not None
    assert without is not None
    assert (acme.touchpoints, acme.measures, acme.traits) == (without.touchpoints, without.measures, without.traits)
    assert acme.traits == {"seats": 3}
    assert await holding(postgres_url, WORDS, ["journey"], folding.workspace) == set()


async def test_everybody_the_customer_ever_was_ends_and_is_forgotten_when_all_have_confirmed(
    database: Database,
) -> None:
    folding = Folding(database)
    await folding.fold(*ANA, touchpoint("c1", 1, user_id="caio"))
    ids = [await folding.id_of("user_id", each) for each in ("ana-7", "caio")]
    await folding.merger.merge(folding.workspace, SubjectId(ids[0] or BY), SubjectId(ids[1] or BY), BY)
    versions = {id_: folding.topic.last(id_).version for id_ in ids if id_ is not None}
    erasure = await erase(folding, "caio")
    for id_, version in versions.items():
        end = folding.topic.last(id_)
        assert isinstance(end, Erased)
        assert end.version > version
    [asked] = events_of(folding)
    assert isinstance(asked, ErasureAsked)
    assert {each.id for each in asked.subjects} == versions.keys()
    assert PSEUDONYMS.of(folding.workspace, "email", "ana@example.com") in asked.names
    assert not any(word.encode() in encode(asked) for word in WORDS)
    await heard(folding, asked)
    for service in ("notify", "scoring", "ingest"):
        assert folding.topic.forgotten == []
        assert (await stored(folding, erasure)).done_at is None
        confirmed = ErasureConfirmed(
            workspace=folding.workspace, erasure=erasure.id, service=service, at=folding.clock.now()
        )
        await heard(folding, confirmed, *(each for each in events_of(folding) if isinstance(each, ErasureConfirmed)))
    assert {each.key for each in folding.topic.forgotten} == {topic_key(folding.workspace, id_) for id_ in versions}
    assert (await stored(folding, erasure)).done_at is not None
    done = [each for each in events_of(folding) if isinstance(each, ErasureDone)]
    assert {*done[0].subjects} == versions.keys()
    await folding.fold(ANA[1])
    assert {each.key for each in folding.topic.forgotten[len(versions) :]} >= {topic_key(folding.workspace, ids[0])}


@pytest.mark.parametrize("point", [erasing.MARKED, erasing.REMOVED, erasing.COMMITTED, erasing.ENDED])
async def test_a_crash_leaves_all_or_nothing_and_the_sweep_tells_what_was_committed(
    database: Database, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(reached: str) -> None:
        if reached == point:
            raise Killed

    folding = Folding(database)
    await folding.fold(*ANA)
    id_ = await folding.id_of("user_id", "ana-7")
    assert id_ is not None
    with monkeypatch.context() as patched:
        patched.setattr(crashpoints, "reached", kill)
        with pytest.raises(Killed):
            await folding.eraser.erase(folding.workspace, id_, block=False, by=BY)
    before_it_held = point in (erasing.MARKED, erasing.REMOVED)
    assert await folding.id_of("user_id", "ana-7") == (id_ if before_it_held else None)
    if before_it_held:
        await erase(folding)
    else:
        async with folding.database.transaction([folding.workspace]) as connection:
            await connection.execute("update unpublished set since = since - interval '1 minute'")
            await connection.execute("update outbox set since = since - interval '1 minute'")
        await folding.publisher.sweep()
    assert isinstance(folding.topic.last(id_), Erased)
    assert [type(each) for each in events_of(folding)] == [ErasureAsked]


async def test_an_account_that_is_left_with_nothing_before_it_was_ever_told_waits_for_nothing(
    database: Database,
) -> None:
    folding = Folding(database)
    await folding.fold(*ANA)
    await erase(folding)
    while await folding.refolder.work():
        pass
    assert await folding.told("account", "acme") is None
    assert await waiting(folding) == []


async def test_where_postgres_went_back_the_topic_has_it_erased_again(database: Database) -> None:
    folding, restored = Folding(database), Folding(database)
    await folding.fold(*ANA)
    restored.workspace = folding.workspace
    erasure = await erase(folding)
    [asked] = events_of(folding)
    assert isinstance(asked, ErasureAsked)
    async with folding.database.transaction([folding.workspace]) as connection:
        for table in ("erasures", "erased_names", "erased_subjects", "accepted"):
            await connection.execute(f"delete from {table}")
    await folding.fold(*ANA)
    assert await folding.id_of("user_id", "ana-7") is not None
    id_ = await folding.id_of("user_id", "ana-7")
    assert id_ is not None
    back = ErasureAsked(
        workspace=folding.workspace,
        erasure=erasure.id,
        subjects=[type(asked.subjects[0])(id_, 1)],
        names=asked.names,
        erased_at=asked.erased_at,
    )
    await heard(folding, back)
    await folding.fold(touchpoint("late", 5, user_id="ana-7"))
    assert await folding.id_of("user_id", "ana-7") is None
