"""A workspace told again from its stored touchpoints: what is right stays as it is, what is not is set right."""

import asyncio
import contextlib
import random
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher, Subject
from jornada.db import Conflict, Connection, Database, TimedOut, Unavailable
from jornada.events import Identifier, JourneyEvent, JourneySnapshot, Touchpoint, WorkspaceId, decode, encode, new_id
from jornada.rules import parse
from services.journey.domain import identity
from services.journey.domain.identity import MOST_TIED, Named
from services.journey.domain.rules import SHOP
from services.journey.domain.state import FOLD
from services.journey.domain.view import TERMS
from services.journey.store import accounts, grounds, identifiers, in_force, portraits, replays
from services.journey.store.replays import STEPS, Counts, Replay, Step
from services.journey.worker import bucketing, comparing, grounding, replaying, restating
from services.journey.worker.replaying import Replayer
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_accounts import check_accounts
from tests.journey.test_order import (
    ACCOUNTS,
    KIOSK,
    LATE_ALIAS,
    LIFE,
    RECONCILED,
    REUNITED,
    SHARED_EMAIL,
    STORIES,
    identifiers_of,
    outcome,
    shuffled,
    stories,
)
from tests.journey.test_retention import expired, keep
from tests.journey.test_segments import CONDITIONS
from tests.journey.test_stage_conditions import RULES, choose

DERIVED = ["subjects", "sessions", "account_shares", "memberships", "device_users", "aliases", "email_pairs"]
DERIVED += ["email_facts", "refusals", "timers", "identifiers", "touchpoints"]


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


@pytest.fixture(scope="module", autouse=True)
def buckets_of_one() -> Iterator[None]:
    """Accounts of two have as many buckets as those of many."""
    with patch.object(bucketing, "MOST", 1):
        yield


async def begun(folding: Folding) -> UUID:
    id_ = new_id()
    async with folding.database.transaction([folding.workspace]) as connection:
        assert await replays.begin(connection, folding.workspace, id_, folding.clock.now(), new_id()) is not None
    return id_


async def found(folding: Folding, id_: UUID) -> Replay:
    async with folding.database.transaction([folding.workspace]) as connection:
        replay = await replays.one(connection, folding.workspace, id_)
    assert replay is not None
    return replay


async def replayed(folding: Folding, days: int = 0) -> Counts:
    """What a replay from its beginning to its end comes to, so many days later."""
    folding.clock.at += timedelta(days=days)
    id_ = await begun(folding)
    replayer = Replayer(folding.database, folding.publisher, folding.clock)
    while await replayer.work():
        pass
    done = await found(folding, id_)
    assert (done.status, done.error) == ("done", None)
    return done.counts


async def stored(folding: Folding) -> dict[str, Any]:
    """Every derived row, without versions, and without into whom one merged: any of those who are one may be told."""
    rows: dict[str, Any] = {}
    async with folding.database.transaction([folding.workspace]) as connection:
        for table in DERIVED:
            found = await connection.fetch(f"select * from {table} where workspace = $1", folding.workspace)
            rows[table] = sorted(str(_plain(dict(row))) for row in found)
    return rows


async def buckets(folding: Folding) -> list[str]:
    """Every bucket of an account's people. Once some were dropped there may be others, as right as these."""
    async with folding.database.transaction([folding.workspace]) as connection:
        return sorted(str(row) for row in await connection.fetch("select * from account_buckets"))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("snapshot"):
        row["snapshot"] = re.sub(rb'"version":\d+|"into":"[^"]+"|,"follows":{[^}]*}', b"", row["snapshot"])
        row["version"] = None
    if row.get("merged_into"):
        row |= {"merged_into": True, "vocabulary": None}
    return row


async def settled(folding: Folding) -> None:
    while await folding.refolder.work():
        pass


async def test_where_all_is_right_nothing_is_written_and_nothing_published(database: Database) -> None:
    for name, story in STORIES.items():
        folding = Folding(database)
        await choose(folding, RULES)
        for batch in shuffled(story, 7):
            await folding.fold(*batch)
        await settled(folding)
        before, published = await stored(folding), len(folding.topic.records)
        kept = await buckets(folding)
        counts = await replayed(folding, days=9)
        assert await buckets(folding) == kept, name
        assert counts == Counts(counts.touchpoints, counts.compared, counts.compared), name
        assert (await stored(folding), len(folding.topic.records)) == (before, published), name
        assert counts.compared >= 1


async def test_who_merged_into_one_who_parted_from_them_says_whose_they_are_now(database: Database) -> None:
    folding = Folding(database)
    for batch in (
        [touchpoint("m1", 0, type="alias", previous_id="bia", user_id="ana")],
        [touchpoint("m2", 0, anonymous_id="d1")],
        [touchpoint("m3", 0, anonymous_id="d1", user_id="ana")],
        [touchpoint("m4", 0, type="alias", previous_id="bia", user_id="caio")],
    ):
        await folding.fold(*batch)
    query = """select i.value, i.customer, s.merged_into
               from journey.identifiers i join journey.subjects s using (workspace, id)
               where workspace = $1 and s.merged_into is not null and i.sharing = 'one'"""
    async with folding.database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch(query, folding.workspace)
    assert [(row["value"], row["merged_into"]) for row in rows] == [("d1", rows[0]["customer"])]
    counts = await replayed(folding)
    assert counts == Counts(counts.touchpoints, counts.compared, counts.compared)


async def test_who_goes_on_as_another_keeps_saying_so_when_what_tied_them_is_kept_no_longer(
    database: Database,
) -> None:
    folding = Folding(database, now=at(40))
    for batch in (
        [touchpoint("m1", 1, anonymous_id="d1")],
        [touchpoint("m2", 2, anonymous_id="d1", user_id="ana")],
        [touchpoint("m3", 20, user_id="ana")],
    ):
        await folding.fold(*batch)
    await keep(folding, 30)
    await expired(folding)
    before = await stored(folding)
    assert sum("'merged_into': True" in row for row in before["subjects"]) == 1
    counts = await replayed(folding)
    assert counts == Counts(counts.touchpoints, counts.compared, counts.compared)
    assert await stored(folding) == before


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    story=stories(),
    seed=st.integers(0, 1_000),
    most_tied=st.sampled_from([MOST_TIED, dict.fromkeys(MOST_TIED, 1), dict.fromkeys(MOST_TIED, 2)]),
)
async def test_a_replay_finds_what_was_folded_in_any_order(
    database: Database, story: list[Touchpoint], seed: int, most_tied: Mapping[tuple[str, str], int]
) -> None:
    folding = Folding(database)
    with patch.dict(identity.MOST_TIED, most_tied):
        for batch in shuffled(story, seed):
            await folding.fold(*batch)
        await settled(folding)
        before = await stored(folding)
        counts = await replayed(folding, days=9)
        assert counts == Counts(counts.touchpoints, counts.compared, counts.compared)
        assert await stored(folding) == before


WORLDS = [[*LATE_ALIAS, *SHARED_EMAIL, *ACCOUNTS], [*RECONCILED, *REUNITED, *ACCOUNTS], [*KIOSK, *LIFE]]
KEYS = {
    "subjects": "id",
    "sessions": "subject, started_at",
    "account_shares": "account, customer",
    "account_buckets": "account, place",
    "memberships": "role, name, subject",
    "timers": "subject, name",
    "device_users": "anonymous_id, user_id",
    "aliases": "previous_id, user_id, occurred_at, message_id, source",
    "email_pairs": "email, type, value",
    "email_facts": "anonymous_id, email, occurred_at, message_id, source",
    "refusals": "type, value, to_type, to_value",
    "identifiers": "id",
    "touchpoints": "owner, occurred_at, message_id, source",
}
"""By which the rows of each table are drawn: ids sort as they were drawn, so that the same seed draws the same row."""

NOBODY = UUID(int=2**128 - 1)
DAMAGE: Sequence[tuple[str, str, str]] = [
    ("subjects", "state = '[]', sessions = 77", "merged_into is null"),
    ("subjects", "state = 'unreadable'", "merged_into is null"),
    ("subjects", "snapshot = null, stage = null", "merged_into is null"),
    ("subjects", "snapshot = '{}'", "true"),
    (
        "subjects",
        "snapshot = replace(encode(snapshot, 'escape'), '2026-01-0', '2026-01-1')::bytea",
        "stage is not null",
    ),
    ("subjects", "stage = 'lead', name = 'Nobody', account = id, stays = null", "stage is not null"),
    ("subjects", "truths = '{}'", "truths is not null"),
    ("memberships", "waited = waited + 7", "role = 'milestone'"),
    ("subjects", "merged_into = id", "true"),
    ("subjects", "", "merged_into is null"),
    ("sessions", "touchpoints = 9, ended_at = ended_at + interval '1 minute'", "true"),
    ("sessions", "started_at = started_at - interval '1 minute'", "true"),
    ("sessions", "", "true"),
    ("account_shares", "share = (select max(share::text)::bytea from account_shares where workspace = $1)", "true"),
    ("account_shares", "", "true"),
    (
        "account_buckets",
        "bucket = (select max(bucket::text)::bytea from account_buckets where workspace = $1)",
        "length(place) > 0",
    ),
    ("account_buckets", "bucket = '[7,[],[]]'", "place = ''"),
    ("account_buckets", "bucket = 'unreadable'", "length(place) > 0"),
    ("account_buckets", "place = left(md5(place), 13)", "length(place) > 0"),
    ("account_buckets", "", "true"),
    ("memberships", "entered_at = now()", "true"),
    ("memberships", "name = 'nowhere'", "true"),
    ("memberships", "", "true"),
    ("timers", "due_at = due_at + interval '1 day'", "true"),
    ("timers", "", "true"),
    ("device_users", "user_id = 'nobody'", "true"),
    ("device_users", "occurred_at = occurred_at - interval '1 day'", "true"),
    ("device_users", "", "true"),
    ("aliases", "previous_id = 'nobody'", "true"),
    ("aliases", "", "true"),
    ("email_pairs", "email = 'nobody@x'", "true"),
    ("email_pairs", "occurred_at = occurred_at - interval '1 day'", "true"),
    ("email_pairs", "value = 'nobody'", "true"),
    ("email_pairs", "", "true"),
    ("email_facts", "email = 'nobody@x'", "true"),
    ("email_facts", "", "true"),
    ("refusals", "why = 'kiosk'", "true"),
    ("refusals", "", "true"),
    ("identifiers", "customer = id, sharing = 'one'", "true"),
    ("identifiers", "customer = null, sharing = 'shared'", "true"),
    ("identifiers", "customer = (select min(id::text)::uuid from identifiers where workspace = $1)", "true"),
    ("touchpoints", f"owner = '{NOBODY}'", "true"),
    ("touchpoints", "owner = (select min(id::text)::uuid from identifiers where workspace = $1)", "true"),
    ("touchpoints", "owner = (select max(id::text)::uuid from identifiers where workspace = $1)", "true"),
    ("touchpoints", "device = null", "true"),
    ("touchpoints", "device = 'nobody', user_id = 'nobody'", "true"),
]
"""(table, what becomes of a row, nothing: it goes; of which)."""


UNCOUNTED = {"touchpoints", "device_users", "aliases", "email_pairs", "email_facts", "refusals", "identifiers"}
"""What is stored again without being counted."""


async def damage(folding: Folding, kinds: Sequence[tuple[str, str, str]], seed: int) -> None:
    chance = random.Random(seed)
    async with folding.database.transaction([folding.workspace]) as connection:
        for table, change, which in kinds:
            key = KEYS[table]
            whole = f"select {key} from {table} where workspace = $1 and {which} order by {key}"
            rows = await connection.fetch(whole, folding.workspace)
            if rows:
                one = " and ".join(f"{name} = ${n}" for n, name in enumerate(key.split(", "), 2))
                act = f"update {table} set {change}" if change else f"delete from {table}"
                await connection.execute(
                    f"{act} where workspace = $1 and {one}", folding.workspace, *chance.choice(rows)
                )


@pytest.fixture(scope="module")
async def worlds(database: Database) -> list[tuple[Folding, dict[str, Any], dict[str, Any]]]:
    """Workspaces with conditions and an operator's merge; of each what is stored and what its documents say."""
    made = []
    for story in WORLDS:
        folding = Folding(database)
        async with database.transaction([folding.workspace]) as connection:
            for name, when in CONDITIONS.items():
                condition, now = in_force.text_of(parse(when, TERMS)), folding.clock.now()
                await in_force.define(connection, folding.workspace, "segment", name, condition, now)
                await in_force.define(connection, folding.workspace, "milestone", name, condition, now)
        await choose(folding, RULES)
        for batch in shuffled(story, 3):
            await folding.fold(*batch)
        await settled(folding)
        made.append((folding, await stored(folding), await folding.everything(identifiers_of(story))))
    return made


async def mended(world: tuple[Folding, dict[str, Any], dict[str, Any]], named: Sequence[Identifier]) -> Counts:
    folding, before, documents = world
    counts = await replayed(folding)
    await settled(folding)
    after = await stored(folding)
    wrong = [(table, *other) for table in before if (other := set(after[table]) ^ set(before[table]))]
    assert not wrong, "\n".join(str(each) for each in wrong)
    await check_accounts(folding)
    assert await folding.everything(named) == documents
    async with folding.database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch("select id, version, snapshot from subjects where snapshot is not null")
    for row in rows:
        assert folding.topic.last(row["id"]).version == row["version"]
        assert encode(folding.topic.last(row["id"])) == row["snapshot"]
    again = await replayed(folding)
    assert again == Counts(again.touchpoints, again.compared, again.compared)
    return counts


@pytest.mark.parametrize("number", range(len(DAMAGE)))
async def test_each_damage_is_set_right(
    worlds: list[tuple[Folding, dict[str, Any], dict[str, Any]]], number: int
) -> None:
    for world, story in zip(worlds, WORLDS, strict=True):
        await damage(world[0], [DAMAGE[number]], number)
        damaged = await stored(world[0]) != world[1]
        counts = await mended(world, identifiers_of(story))
        told = counts.mended + counts.changed > 0
        assert told or not damaged or DAMAGE[number][0] in UNCOUNTED


@pytest.mark.parametrize("seed", range(24))
async def test_any_damage_is_set_right(worlds: list[tuple[Folding, dict[str, Any], dict[str, Any]]], seed: int) -> None:
    chance = random.Random(seed)
    kinds = chance.sample(DAMAGE, chance.randint(2, 8))
    await damage(worlds[seed % 3][0], kinds, seed)
    await mended(worlds[seed % 3], identifiers_of(WORLDS[seed % 3]))


async def test_a_pointer_stays_only_of_who_was_told_of(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    before, published = await stored(folding), len(folding.topic.records)
    async with folding.database.transaction([folding.workspace]) as connection:
        own = "update identifiers set customer = id where workspace = $1 and type = 'user_id' and value = 'new'"
        await connection.execute(own, folding.workspace)
        lost = f"update touchpoints set owner = '{NOBODY}' where workspace = $1 and message_id = 'a4'"
        await connection.execute(lost, folding.workspace)
    counts = await replayed(folding)
    assert counts == Counts(len(LATE_ALIAS), 1, 1, mended=1)
    assert (await stored(folding), len(folding.topic.records)) == (before, published)


class Mortal(Replayer):
    """A process that does one piece and dies: before its commit, after it, or at rest."""

    def __init__(self, folding: Folding, how: str) -> None:
        super().__init__(folding.database, cast(Publisher, DyingPublisher(folding.publisher, how)), folding.clock)


class DyingPublisher:
    def __init__(self, publisher: Publisher, how: str) -> None:
        self._publisher, self._how = publisher, how

    async def mark(self, connection: Connection, versions: Mapping[Subject, int]) -> None:
        await self._publisher.mark(connection, versions)
        if self._how == "before":
            raise BusUnavailable("killed")

    async def publish(self, subjects: Collection[Subject]) -> None:
        if self._how == "after":
            raise BusUnavailable("killed")
        if self._how == "late":
            raise TimedOut("published too slowly")
        await self._publisher.publish(subjects)


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("name", ["shared_email", "reunited", "reconciled", "accounts", "late_alias"])
async def test_killed_between_any_two_steps_it_goes_on_and_what_comes_meanwhile_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(restating, "MOST", most)
    monkeypatch.setattr(grounding, "MOST", most)
    monkeypatch.setattr(comparing, "MOST", most)
    monkeypatch.setattr(bucketing, "MOST_CHECKED", most)
    monkeypatch.setattr(bucketing, "MOST_SHARES", most)
    told = [each for batch in shuffled(STORIES[name], 5) for each in batch]
    folding = Folding(database)
    await folding.fold(*told[: len(told) // 2])
    await settled(folding)
    await damage(folding, [each for each in DAMAGE if not each[1]], 1)
    id_, later, number = await begun(folding), told[len(told) // 2 :], 0
    while (await found(folding, id_)).status == "running":
        with contextlib.suppress(BusUnavailable):
            await Mortal(folding, ("before", "after", "at rest")[number % 3]).work()
        if later and number % 4 == 0:
            await folding.fold(later.pop(0))
        if number % 5 == 0:
            await folding.refolder.work()
        number += 1
    assert (await found(folding, id_)).status == "done"
    await settled(folding)
    await folding.fold(*later)
    named = identifiers_of(STORIES[name])
    assert await folding.everything(named) == await outcome(database, [STORIES[name]], named)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update unpublished set since = since - interval '1 hour'")
    await folding.publisher.sweep()
    async with database.transaction([folding.workspace]) as connection:
        assert not await connection.fetch("select from unpublished")
        rows = await connection.fetch("select id, snapshot from subjects where snapshot is not null")
    for row in rows:
        assert encode(folding.topic.last(row["id"])) == row["snapshot"]


@pytest.mark.parametrize("world", range(3))
async def test_all_that_is_derived_can_be_dropped(database: Database, world: int) -> None:
    folding, named = Folding(database), identifiers_of(WORLDS[world])
    for batch in shuffled(WORLDS[world], 3):
        await folding.fold(*batch)
    before = await folding.everything(named)
    ids = {(each.type, each.value): await known(folding, each) for each in named}
    versions: dict[bytes, int] = {}
    for record in folding.topic.records:
        event: JourneyEvent = decode(record.value, JourneyEvent)
        versions[record.key] = event.version
    async with database.transaction([folding.workspace]) as connection:
        for table in set(DERIVED) - {"identifiers", "touchpoints"}:
            await connection.execute(f"delete from {table} where workspace = $1", folding.workspace)
        await connection.execute("update identifiers set customer = id, sharing = 'one' where type <> 'email'")
        await connection.execute("update identifiers set customer = null, sharing = 'one' where type = 'email'")
    published = len(folding.topic.records)
    counts = await replayed(folding)
    assert await folding.everything(named) == before
    assert {(each.type, each.value): await known(folding, each) for each in named} == ids
    anew = folding.topic.records[published:]
    assert len(anew) >= counts.changed > 0
    for record in anew:
        event = decode(record.value, JourneyEvent)
        assert event.version > versions[record.key]


@pytest.mark.parametrize("most", [1, 3])
async def test_an_account_of_many_is_compared_in_pieces(
    database: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bucketing, "MOST_CHECKED", most)
    folding = Folding(database)
    people = [touchpoint(f"m{n}", n, type="group", user_id=f"user-{n}", group_id="acme") for n in range(12)]
    await folding.fold(*people, touchpoint("m99", 1, type="group", user_id="zoe", group_id="other"))
    await settled(folding)
    before = await stored(folding)
    counts = await replayed(folding)
    assert counts == Counts(counts.touchpoints, counts.compared, counts.compared)
    assert await stored(folding) == before
    account = await folding.id_of("account", "acme")
    assert account is not None
    async with database.transaction([folding.workspace]) as connection:
        place = await connection.fetchval("select place from account_buckets where bucket like '[1,%' limit 1")
        # Of the person in it nothing is left, in none of the buckets that are filled from it.
        await connection.execute("update account_buckets set bucket = '[0,[],[]]' where place = $1", place)
        await connection.execute("delete from account_buckets where starts_with($1, place) and place <> $1", place)
        await accounts.enqueue(connection, folding.workspace, [account])
    await settled(folding)
    wrong = folding.topic.last(account)
    assert isinstance(wrong, JourneySnapshot)
    assert wrong.measures.people == 11
    counts = await replayed(folding)
    assert (counts.mended, counts.changed) == (1, 1)
    assert await stored(folding) == before
    await check_accounts(folding)


async def known(folding: Folding, named: Identifier) -> object:
    try:
        return await folding.id_of(named.type, named.value)
    except portraits.Ambiguous as error:
        return error.customers


async def test_one_at_a_time_and_cancelled_it_leaves_nothing_half_done(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST", 1)
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    id_ = await begun(folding)
    async with database.transaction([folding.workspace]) as connection:
        assert await replays.begin(connection, folding.workspace, new_id(), folding.clock.now(), new_id()) is None
    replayer = Replayer(database, folding.publisher, folding.clock)
    while (await found(folding, id_)).step != "customers":
        assert await replayer.work()
    async with database.transaction([folding.workspace]) as connection:
        assert await replays.end(connection, folding.workspace, id_, "cancelled", folding.clock.now())
    assert await replayer.work() == 0
    async with database.transaction([folding.workspace]) as connection:
        assert not await replays.end(connection, folding.workspace, id_, "cancelled", folding.clock.now())
    assert (await replayed(folding)).changed == 0


async def test_a_journey_of_a_newer_fold_fails_it_and_stays(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set fold = $1", FOLD + 1)
    before, id_ = await stored(folding), await begun(folding)
    replayer = Replayer(database, folding.publisher, folding.clock)
    while await replayer.work():
        pass
    done = await found(folding, id_)
    assert (done.status, done.error) == ("failed", "Outdated")
    assert await stored(folding) == before
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set fold = $1", FOLD)


async def test_who_comes_out_otherwise_is_told_as_of_now(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute(
            "update subjects set snapshot = replace(encode(snapshot, 'escape'), 'Bia', 'Eva')::bytea where stage <> ''"
        )
    assert (await replayed(folding, days=9)).changed == 1
    id_ = await folding.id_of("user_id", "new")
    assert id_ is not None
    told = folding.topic.last(id_)
    assert isinstance(told, JourneySnapshot)
    assert (told.traits, told.as_of) == ({"name": "Bia"}, folding.clock.now())


def slow(monkeypatch: pytest.MonkeyPatch, within: object, name: str, concerns: Callable[..., bool]) -> list[int]:
    """Has Postgres cancel what concerns somebody, as it does what takes too long; tells how much each call asked."""
    plain, asked = getattr(within, name), []

    async def act(connection: Connection, workspace: WorkspaceId, *given: Any) -> Any:
        asked.extend([len(given[0])] if isinstance(given[0], Collection) else [])
        if concerns(*given):
            await connection.execute("set local statement_timeout = 1")
            await connection.execute("select pg_sleep(60)")
        return await plain(connection, workspace, *given)

    monkeypatch.setattr(within, name, act)
    return asked


def tells(message_id: str) -> Callable[..., bool]:
    return lambda told: any(each.touchpoint.message_id == message_id for each in told)


SLOW: Mapping[str, tuple[object, str, Callable[..., bool]]] = {
    "touchpoints": (restating, "state_all", tells("a4")),
    "devices": (restating, "state_all", tells("a8")),
    "facts": (grounds, "said", lambda stated: any(fact.at[1] == "a7" for fact in stated)),
    "customers": (comparing, "regroup", lambda seeds: Named("user_id", "ana") in seeds),
    "accounts": (comparing, "_account_from", lambda _force, stored, *_: stored.node.named.value == "globex"),
}


async def ended(folding: Folding, id_: UUID) -> Replay:
    replayer = Replayer(folding.database, folding.publisher, folding.clock)
    async with asyncio.timeout(60):
        while (done := await found(folding, id_)).status == "running":
            await replayer.work()
    return done


@pytest.mark.parametrize("step", STEPS)
async def test_what_alone_takes_too_long_is_named_and_passed_by(
    database: Database, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS, *ACCOUNTS)
    await settled(folding)
    before = await stored(folding)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set name = 'Nobody' where workspace = $1", folding.workspace)
    with monkeypatch.context() as patched:
        slow(patched, *SLOW[step])
        done = await ended(folding, await begun(folding))
    assert (done.status, done.error) == ("done", None)
    culprits = {
        "touchpoints": "a4",
        "devices": "a8",
        "facts": "aliases",
        "customers": str(await folding.id_of("user_id", "ana")),
        "accounts": str(await folding.id_of("account", "globex")),
    }
    assert [each.step for each in done.failed] == (["touchpoints", "devices"] if step == "devices" else [step])
    assert all(culprits[step] in each.at for each in done.failed)
    left = set((await stored(folding))["subjects"]) - set(before["subjects"])
    assert len(left) == (1 if step in {"customers", "accounts"} else 0)
    assert (await replayed(folding)).mended == len(left)
    assert await stored(folding) == before


async def test_after_what_took_too_long_pieces_grow_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    folding = Folding(database)
    await folding.fold(*(touchpoint(f"m{n}", n, user_id=f"u{n:02}", event="Report Exported") for n in range(30)))
    monkeypatch.setattr(comparing, "MOST", 16)
    asked = slow(monkeypatch, comparing, "regroup", lambda seeds: Named("user_id", "u19") in seeds)
    done = await ended(folding, await begun(folding))
    assert asked == [16, 14, 8, 4, 2, 4, 2, 1, 2, 1, 1, 2, 4, 3]
    assert (done.status, done.counts.compared, len(done.failed)) == ("done", 29, 1)


async def test_where_not_even_a_reading_is_done_in_time_or_too_much_is_left_it_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    with monkeypatch.context() as patched:
        slow(patched, identifiers, "people_after", lambda *_: True)
        done = await ended(folding, await begun(folding))
        assert (done.status, done.error, done.step, done.failed) == ("failed", "TimedOut", "customers", [])
    monkeypatch.setattr(replaying, "MOST_FAILED", 2)
    slow(monkeypatch, comparing, "regroup", lambda *_: True)
    done = await ended(folding, await begun(folding))
    assert (done.status, done.error, len(done.failed)) == ("failed", "TimedOut", 2)


@pytest.mark.parametrize("name", ["shared_email", "reunited", "reconciled", "accounts", "late_alias"])
async def test_live_batches_are_folded_beside_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in (restating, grounding, comparing):
        monkeypatch.setattr(each, "MOST", 2)
    told = [each for batch in shuffled(STORIES[name], 8) for each in batch]
    folding = Folding(database)
    await folding.fold(*told[: len(told) // 2])
    await damage(folding, [each for each in DAMAGE if not each[1]], 2)
    id_, replayer = await begun(folding), Replayer(database, folding.publisher, folding.clock)

    async def live() -> None:
        for each in told[len(told) // 2 :]:
            await folding.fold(each)
            with contextlib.suppress(Conflict):
                await folding.refolder.work()

    async def replay() -> None:
        while (await found(folding, id_)).status == "running":
            with contextlib.suppress(Conflict):
                await replayer.work()

    await asyncio.gather(live(), replay())
    assert (await found(folding, id_)).status == "done"
    named = identifiers_of(STORIES[name])
    assert await folding.everything(named) == await outcome(database, [STORIES[name]], named)


async def test_who_has_nothing_to_publish_waits_for_no_publisher(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("o1", 1, user_id="ana", event="Message Sent", source="jornada", role="messaging"))
    async with database.transaction([folding.workspace]) as connection:
        await in_force.choose(connection, folding.workspace, SHOP)
    assert await folding.refolder.work() == 1
    assert await replayed(folding) == Counts(touchpoints=1, compared=1, equal=1)
    async with database.transaction([folding.workspace]) as connection:
        assert not await connection.fetch("select from unpublished")


@pytest.mark.parametrize("how", ["after", "late"])
async def test_what_a_process_committed_and_did_not_publish_is_swept(database: Database, how: str) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update subjects set snapshot = '{}' where stage <> ''")
    id_ = await begun(folding)
    while (await found(folding, id_)).status == "running":
        with contextlib.suppress(BusUnavailable, Unavailable):
            await Mortal(folding, how).work()
    assert (await found(folding, id_)).status == "done"
    published = len(folding.topic.records)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("update unpublished set since = since - interval '1 hour'")
    await folding.publisher.sweep()
    assert len(folding.topic.records) == published + 1
