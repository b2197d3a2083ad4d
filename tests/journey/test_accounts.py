"""Accounts of many people: told by buckets as they would be from every share, and never much work at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.db.since import tell_since
from jornada.events import JourneySnapshot, SubjectId, Touchpoint, decode, encode, new_id
from services.journey.domain import folding, people
from services.journey.domain import state as states
from services.journey.domain.buckets import ROOT, above, around, divided, within
from services.journey.domain.people import MOST_DAYS, NOBODY, People
from services.journey.domain.reading import Reading
from services.journey.domain.rules import SHOP, SUBSCRIPTION
from services.journey.domain.state import FOLD, State, value_days
from services.journey.store import accounts, buckets, in_force
from services.journey.worker import bucketing, refolding
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, day_of, touchpoint
from tests.journey.test_order import shuffled, stories
from tests.journey.test_state import readings

CLASSES = SUBSCRIPTION.value_classes
SMALL = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bucket has more than two people's shares."""
    monkeypatch.setattr(bucketing, "MOST", 2)


def team(number: int, *, event: str = "Report Exported") -> list[Touchpoint]:
    """So many people of one account, each with one act of use."""
    return [
        each
        for n in range(number)
        for each in (
            touchpoint(f"g{n:03}", n / 100, type="group", user_id=f"user-{n}", group_id="acme", traits={"name": "A"}),
            touchpoint(f"u{n:03}", 1 + n / 100, event=event, user_id=f"user-{n}"),
        )
    ]


async def settled(folding: Folding) -> int:
    """How often the queue had to be looked at."""
    times = 0
    while await folding.refolder.work():
        times += 1
    return times


async def acme(folding: Folding) -> SubjectId:
    account = await folding.id_of("account", "acme")
    assert account is not None
    return account


def published(folding: Folding, account: SubjectId) -> JourneySnapshot:
    event = folding.topic.last(account)
    assert isinstance(event, JourneySnapshot)
    return event


def plainly(
    shares: dict[SubjectId, State], account: SubjectId, classes: Sequence[str]
) -> tuple[State, int, list[tuple[int, int]]]:
    """An account from every share at once: its state, its people, how many acted last on which day."""
    whole = states.known_from_start(states.joined(shares[each] for each in sorted(shares)))
    theirs = [value_days(share, classes) for customer, share in shares.items() if customer != account]
    last = [max(days) for days in theirs if days]
    return whole, len(theirs), [(day, last.count(day)) for day in sorted(set(last))][-MOST_DAYS:]


async def check_accounts(folding: Folding, classes: Sequence[str] = CLASSES) -> int:
    """Holds what is stored of every account, and every bucket, to what its shares say; returns how many buckets."""
    async with folding.database.transaction([folding.workspace]) as connection:
        assert await connection.fetch("select from account_changes") == []
        rows = await connection.fetch("select id, state, snapshot from subjects where type = 'account'")
        for row in rows:
            shares, old = await accounts.of(connection, folding.workspace, row["id"], 0)
            assert not old
            whole, number, by_day = plainly(shares, row["id"], classes)
            assert row["state"] == encode(whole)
            if row["snapshot"] is not None and whole.first is not None:
                told: JourneySnapshot = decode(row["snapshot"], JourneySnapshot)
                assert (told.measures.people, told.measures.people_by_day) == (number, by_day)
        kept = await connection.fetch("select account, place, bucket from account_buckets")
        for row in kept:
            shares, _ = await accounts.of(connection, folding.workspace, row["account"], 0)
            inside = [shares[id_] for id_ in shares if id_.hex.startswith(row["place"]) and id_ != row["account"]]
            assert decode(row["bucket"], People) == decode(encode(people.added(inside, classes)), People)
    return len(kept)


@given(st.lists(readings(), max_size=6), st.randoms())
def test_people_add_up_to_the_same_however_they_are_grouped(told: list[list[Reading]], chance: random.Random) -> None:
    shares = [states.share(folding.fold(each), "acme") for each in told]
    grouped: list[list[State]] = [[] for _ in range(4)]
    for share in shares:
        chance.choice(grouped).append(share)
    parts = [people.added(each, CLASSES) for each in grouped]
    chance.shuffle(parts)
    made = NOBODY
    for part in parts:
        made = people.join(made, decode(encode(part), People))
    assert encode(made) == encode(people.added(shares, CLASSES))


@given(st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=30), st.randoms())
def test_everybody_is_told_by_the_day_of_their_latest_act(acts: list[list[int]], chance: random.Random) -> None:
    key = (0, "m")
    shares = [State(days={"use": {str(day): (*key, *key) for day in days}}) for days in acts]
    chance.shuffle(shares)
    cut = chance.randint(0, len(shares))
    last = Counter(max(days) for days in acts if days)
    with patch.object(people, "MOST_DAYS", 4):
        parts = [people.added(some, CLASSES) for some in (shares[:cut], shares[cut:])]
        assert people.join(*parts).by_day == people.join(*parts[::-1]).by_day == sorted(last.items())[-4:]


@given(st.lists(st.uuids(), min_size=2, unique=True))
def test_every_id_lies_in_one_of_the_places_into_which_people_are_divided(ids: list[UUID]) -> None:
    places = divided(min(ids), max(ids))
    inside = [[id_ for id_ in ids if within(place)[0] <= id_ <= within(place)[1]] for place in places]
    assert sorted(id_ for some in inside for id_ in some) == sorted(ids)
    assert sum(map(bool, inside)) >= 2
    for place, some in zip(places, inside, strict=True):
        assert all(place in around([id_]) for id_ in some)
        assert not any(place in around([id_]) for id_ in set(ids) - set(some))
        assert {ROOT, place} <= above([place])


async def moved(folding_: Folding, chance: random.Random, names: Sequence[str]) -> None:
    """Has an operator merge two users, and perhaps undo it."""
    ends = [await folding_.id_of("user_id", name) for name in chance.sample(list(names), 2)]
    if None in ends or ends[0] == ends[1]:
        return
    said = await folding_.merger.merge(folding_.workspace, SubjectId(ends[0]), SubjectId(ends[1]), new_id())  # type: ignore[arg-type]
    if said is not None and chance.random() < 0.5:
        await folding_.refolder.work()
        await folding_.merger.undo(folding_.workspace, said, new_id())


@SMALL
@given(story=stories(), seed=st.integers(0, 1_000), most=st.integers(1, 3), allowed=st.sampled_from([1, 3, 2_000]))
async def test_any_order_batching_and_moving_of_people_gives_what_all_shares_give(
    database: Database, story: list[Touchpoint], seed: int, most: int, allowed: int
) -> None:
    chance, folding_ = random.Random(seed), Folding(database)
    with patch.object(bucketing, "MOST", most), patch.object(bucketing, "MOST_SHARES", allowed):
        for batch in shuffled(story, seed):
            await folding_.fold(*batch)
            if chance.random() < 0.5:
                await folding_.refolder.work()
            if chance.random() < 0.2:
                await moved(folding_, chance, ("ana", "bia", "caio"))
        await settled(folding_)
        await check_accounts(folding_)


@pytest.mark.usefixtures("by_twos")
@pytest.mark.parametrize("seed", range(3))
async def test_people_who_join_leave_and_come_back_are_told_by_buckets(database: Database, seed: int) -> None:
    chance, folding_ = random.Random(seed), Folding(database)
    stored = []
    for n in range(60):
        user, group = f"user-{chance.randrange(24)}", "acme" if n < 30 or chance.random() < 0.2 else "globex"
        move = touchpoint(f"g{n}", n, type="group", user_id=user, group_id=group)
        bought = touchpoint(f"u{n}", chance.random() * n, event="Report Exported", user_id=user)
        await folding_.fold(
            move, bought, touchpoint(f"b{n}", n, event="Payment Failed", group_id=group, role="billing")
        )
        if chance.random() < 0.6:
            await folding_.refolder.work()
        if n % 10 == 9:
            await settled(folding_)
            stored.append(await check_accounts(folding_))
    assert min(stored[1:]) > 10


@pytest.mark.usefixtures("by_twos")
async def test_an_account_that_becomes_small_keeps_no_buckets(database: Database) -> None:
    folding_ = Folding(database)
    await folding_.fold(*team(9))
    await settled(folding_)
    assert await check_accounts(folding_) > 4
    for n in range(8):
        id_ = await folding_.id_of("user_id", f"user-{n}")
        assert id_ is not None
        await folding_.eraser.erase(folding_.workspace, id_, block=False, by=new_id())
    await settled(folding_)
    assert await check_accounts(folding_) == 0
    assert published(folding_, await acme(folding_)).measures.people == 1


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of shares and buckets read from now on, one for each time."""
    read: list[int] = []
    of, kept = accounts.people, buckets.read

    async def people_read(*given: Any) -> list[State | None]:
        found = await of(*given)
        read.append(len(found))
        return found

    async def buckets_read(*given: Any) -> dict[str, bytes]:
        found = await kept(*given)
        read.append(len(found))
        return found

    monkeypatch.setattr(accounts, "people", people_read)
    monkeypatch.setattr(buckets, "read", buckets_read)
    return read


async def test_one_persons_touch_reads_few_of_the_others(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucketing, "MOST", 4)
    folding_ = Folding(database)
    await folding_.fold(*team(300))
    await settled(folding_)
    read = counted(monkeypatch)
    for n in range(3):
        del read[:]
        await folding_.fold(touchpoint(f"t{n}", 9, event="Report Exported", user_id=f"user-{n * 99}"))
        await settled(folding_)
        assert sum(read) <= 100
    del read[:]
    await folding_.fold(touchpoint("t9", 9, event="Payment Failed", group_id="acme", role="billing"))
    await settled(folding_)
    assert sum(read) == 1
    await check_accounts(folding_)
    assert published(folding_, await acme(folding_)).touchpoints == 604


@pytest.mark.usefixtures("by_twos")
async def test_a_large_account_is_told_in_pieces_and_others_do_not_wait_for_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketing, "MOST_SHARES", 5)
    read = counted(monkeypatch)
    folding_ = Folding(database)
    await folding_.fold(*team(40))
    await folding_.fold(touchpoint("o1", 1, type="group", user_id="olga", group_id="other"))
    other = await folding_.id_of("account", "other")
    assert other is not None
    await folding_.refolder.work()
    assert published(folding_, other).measures.people == 1
    account = await acme(folding_)
    assert not any(record.key.endswith(str(account).encode()) for record in folding_.topic.records)
    times = 1
    while await folding_.refolder.work():
        times += 1
    assert 40 / 7 <= times <= 20
    assert max(read) <= 16
    assert published(folding_, await acme(folding_)).measures.people == 40
    await check_accounts(folding_)


@pytest.mark.usefixtures("by_twos")
async def test_nobody_waits_for_one_of_whom_there_is_always_more_to_do(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketing, "MOST_SHARES", 4)
    folding_ = Folding(database)
    joins = [
        touchpoint(f"{name}{n}", n / 10, type="group", user_id=f"{name}-{n}", group_id=name)
        for name in ("acme", "globex")
        for n in range(20)
    ]
    await folding_.fold(*joins)
    ids = [await folding_.id_of("account", name) for name in ("acme", "globex")]
    for n in range(12):
        await folding_.fold(*(touchpoint(f"{n}-{m}", 5, user_id=f"acme-{m}") for m in range(20)))
        await folding_.refolder.work()
    told = [SubjectId(id_) for id_ in ids if id_ is not None]
    assert [published(folding_, id_).measures.people for id_ in told] == [20, 20]
    await settled(folding_)
    await check_accounts(folding_)


@pytest.mark.usefixtures("by_twos")
async def test_who_is_touched_all_the_time_is_told_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketing, "MOST_SHARES", 6)
    folding_ = Folding(database)
    await folding_.fold(*team(20))
    await settled(folding_)
    seen = set()
    for n in range(12):
        await folding_.fold(*(touchpoint(f"t{n}-{m}", 9, user_id=f"user-{m}") for m in range(20)))
        await folding_.refolder.work()
        seen.add(published(folding_, await acme(folding_)).touchpoints)
    assert len(seen) > 2
    await settled(folding_)
    assert published(folding_, await acme(folding_)).touchpoints == 280
    await check_accounts(folding_)


Act = Callable[[], Awaitable[object]]


def amid(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Act) -> None:
    """Does something, once, right before a function of a store is called."""
    called, acts = getattr(module, name), [act]

    async def after(*given: Any) -> Any:
        if acts:
            await acts.pop()()
        return await called(*given)

    monkeypatch.setattr(module, name, after)


@pytest.mark.usefixtures("by_twos")
@pytest.mark.parametrize(
    ("module", "name"), [(buckets, "extent"), (accounts, "people"), (buckets, "save"), (accounts, "own")]
)
async def test_who_merges_while_the_account_is_told_is_in_it_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    folding_ = Folding(database)
    await folding_.fold(*team(20))
    await settled(folding_)
    account = await acme(folding_)
    one, other = [SubjectId(id_) for n in (3, 13) if (id_ := await folding_.id_of("user_id", f"user-{n}"))]

    async def merge() -> None:
        await folding_.merger.merge(folding_.workspace, one, other, new_id())

    await folding_.fold(touchpoint("t1", 9, user_id="user-3"))
    begun = len(folding_.topic.records)
    amid(monkeypatch, module, name, merge)
    await settled(folding_)
    told: list[JourneySnapshot] = [
        decode(record.value, JourneySnapshot)
        for record in folding_.topic.records[begun:]
        if record.key.endswith(str(account).encode())
    ]
    assert {(each.touchpoints, each.measures.people) for each in told} <= {(41, 20), (41, 19)}
    assert published(folding_, account).measures.people == 19
    await check_accounts(folding_)


@pytest.mark.usefixtures("by_twos")
@pytest.mark.parametrize(
    "write",
    [
        """insert into account_shares (workspace, account, customer, share)
           select workspace, account, gen_random_uuid(), share from account_shares order by customer limit 3
           on conflict (workspace, account, customer) do update set share = excluded.share""",
        """insert into account_shares (workspace, account, customer, share)
           select workspace, account, customer, (select share from account_shares order by customer desc limit 1)
           from account_shares order by customer limit 1
           on conflict (workspace, account, customer) do update set share = excluded.share""",
        "delete from account_shares where customer in (select customer from account_shares order by customer limit 2)",
    ],
)
async def test_what_a_release_that_knows_no_buckets_writes_is_seen(database: Database, write: str) -> None:
    folding_ = Folding(database)
    await folding_.fold(*team(12), touchpoint("m99", 9, event="Report Exported", user_id="user-9"))
    await settled(folding_)
    account = await acme(folding_)
    before = published(folding_, account)
    async with database.transaction([folding_.workspace]) as connection:
        await connection.execute(write)
        await accounts.enqueue(connection, folding_.workspace, [account])
    await settled(folding_)
    await check_accounts(folding_)
    assert published(folding_, account).touchpoints != before.touchpoints


@pytest.mark.usefixtures("by_twos")
async def test_acts_of_other_classes_count_once_the_rules_say_so(database: Database) -> None:
    folding_ = Folding(database)
    buys = [touchpoint(f"b{n}", 3 + n, event="Order Completed", user_id=f"user-{n}") for n in range(3)]
    await folding_.fold(*team(9), *buys)
    await settled(folding_)
    await check_accounts(folding_)
    async with database.transaction([folding_.workspace]) as connection:
        await in_force.choose(connection, folding_.workspace, SHOP)
    await settled(folding_)
    await check_accounts(folding_, SHOP.value_classes)
    by_day = published(folding_, await acme(folding_)).measures.people_by_day
    assert by_day == [(day_of(3), 1), (day_of(4), 1), (day_of(5), 1)]
    told = await folding_.told("account", "acme")
    assert told is not None
    assert told.measures.people_by_day == by_day


@pytest.mark.usefixtures("by_twos")
async def test_nobodys_bucket_is_of_an_older_fold_or_vocabulary(database: Database) -> None:
    folding_ = Folding(database)
    await folding_.fold(*team(9))
    await settled(folding_)
    account = await acme(folding_)
    async with database.transaction([folding_.workspace]) as connection:
        await connection.execute("update account_buckets set fold = $1, bucket = 'unreadable'", FOLD - 1)
        await accounts.enqueue(connection, folding_.workspace, [account])
    await settled(folding_)
    await check_accounts(folding_)
    assert published(folding_, account).measures.people == 9


@pytest.mark.usefixtures("by_twos")
async def test_an_account_is_seen_as_it_was_however_many_its_people_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding_ = Folding(database)
    await folding_.fold(*team(9))
    await settled(folding_)
    once = [await folding_.told("account", "acme", at(days)) for days in (0.025, 1.045, 9)]
    assert [each.measures.people for each in once if each is not None] == [3, 9, 9]
    assert [each.touchpoints for each in once if each is not None] == [3, 14, 18]
    monkeypatch.setattr("services.journey.store.portraits.MOST_PEOPLE", 2)
    assert [await folding_.told("account", "acme", at(days)) for days in (0.025, 1.045, 9)] == once


async def test_whom_a_record_concerns_is_told_before_all_whom_new_rules_do_and_keeps_how_long_it_has_waited(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refolding, "MOST_AT_ONCE", 1)
    folding = Folding(database)
    await folding.fold(*team(2))
    while await folding.refolder.work():
        pass
    account = await folding.id_of("account", "acme")
    assert account is not None
    async with database.transaction([folding.workspace]) as connection:
        await in_force.choose(connection, folding.workspace, SHOP)
        await accounts.claim(connection, folding.workspace, [account])
        await tell_since(connection, at(3))
        await accounts.enqueue(connection, folding.workspace, [account])
    folding.topic.delays = [0.5]
    working = asyncio.create_task(folding.refolder.work())
    await asyncio.sleep(0.3)
    async with database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch("select subject, since from unpublished")
        waiting = await connection.fetch("select since from refolds")
    assert [tuple(row) for row in rows] == [(account, at(3))]
    assert [row["since"] for row in waiting] == [None, None], "and nobody waits for those"
    await working


async def test_an_account_that_takes_several_rounds_waits_since_its_record_until_it_is_told(
    database: Database, by_twos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketing, "MOST_SHARES", 0)
    folding = Folding(database)
    await folding.fold(*team(5))
    account = await folding.id_of("account", "acme")
    assert account is not None
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update refolds set since = $1", at(3))
    await folding.refolder.work()
    async with database.transaction([folding.workspace]) as connection:
        assert await connection.fetchval("select min(since) from refolds") == at(3), "it is not told yet"
    monkeypatch.setattr(bucketing, "MOST_SHARES", 2_000)
    while await folding.refolder.work():
        pass
