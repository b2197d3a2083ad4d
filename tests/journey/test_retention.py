"""What is older than a workspace keeps goes with all that it was a reason for, as if it had never come."""

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import Identifier, JourneySnapshot, MergedInto, Touchpoint, new_id
from jornada.observe import metrics
from jornada.web import Reference
from services.journey.domain import identity
from services.journey.domain.identity import MOST_TIED
from services.journey.store import in_force, portraits, retention
from services.journey.store.months import begin
from services.journey.worker import expiring
from services.journey.worker import retention as working
from services.journey.worker.months import Months
from services.journey.worker.retention import Expiry
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_order import STORIES, identifiers_of, shuffled, stories

_TODAY = 365


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


RESTATED = [
    touchpoint("r1", 1, type="identify", user_id="ana", traits={"email": "ana@x.com"}),
    touchpoint("r2", 2, type="identify", anonymous_id="phone", traits={"email": "ana@x.com"}),
    touchpoint("r3", 3, type="alias", user_id="ana", previous_id="bia"),
    touchpoint("r4", 4, event="Report Exported", user_id="bia", anonymous_id="desk"),
    touchpoint("r5", 5, type="identify", user_id="ana", traits={"email": "ana@x.com"}),
    touchpoint("r6", 6, type="identify", anonymous_id="phone", traits={"email": "ana@x.com"}),
    touchpoint("r7", 7, type="alias", user_id="ana", previous_id="bia"),
    touchpoint("r8", 8, event="Report Exported", user_id="bia", anonymous_id="desk"),
]
"""Everything is said twice."""

BILLED = [
    touchpoint("b1", 1, event="Report Exported", user_id="ana"),
    touchpoint("b2", 2, type="alias", user_id="bia", previous_id="ana"),
    touchpoint("b3", 3, event="Payment Failed", user_id="ana", anonymous_id="desk", group_id="acme", role="billing"),
    touchpoint("b4", 4, type="alias", user_id="bia", previous_id="ana"),
    touchpoint("b5", 5, event="Report Exported", user_id="bia"),
]
"""An account's own touchpoint is all that still carries a user id that is aliased."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "MOST", 3)


def expiry_of(folding: Folding) -> Expiry:
    return Expiry(folding.database, folding.publisher, folding.clock)


async def keep(folding: Folding, days: int | None) -> None:
    async with folding.database.transaction([folding.workspace]) as connection:
        await retention.write(connection, folding.workspace, days, new_id(), folding.clock.now())


async def expired(folding: Folding) -> None:
    """Lets everything go that is older than is kept."""
    expiry = expiry_of(folding)
    async with folding.database.transaction([folding.workspace]) as connection:
        is_said = await retention.read(connection, folding.workspace) is not None
    while is_said:
        await expiry.work()
        async with folding.database.transaction([folding.workspace]) as connection:
            said = await retention.read(connection, folding.workspace)
        if said is None or said.days is None or said.passed_until is not None:
            return


def outlasting(story: Sequence[Touchpoint], cut: int) -> list[Touchpoint]:
    return [each for each in story if each.occurred_at >= at(cut)]


async def never_told(database: Database, story: Sequence[Touchpoint], cut: int, named: Sequence[Identifier]) -> Any:
    """All that must be equal, had nothing before a day ever come."""
    folding = Folding(database, now=at(_TODAY))
    if left := outlasting(story, cut):
        await folding.fold(*left)
    return await folding.everything(named)


async def forgotten(
    database: Database, story: Sequence[Touchpoint], cut: int, named: Sequence[Identifier], seed: int
) -> Any:
    """All that must be equal, it being said at some moment, and acted on at some, that nothing before a day is kept."""
    chance = random.Random(seed)
    folding = Folding(database, now=at(_TODAY))
    batches = shuffled(story, seed) if story else []
    said_after = chance.randint(0, len(batches))
    expiry = expiry_of(folding)
    for number, batch in enumerate(batches):
        if number == said_after:
            await keep(folding, _TODAY - cut)
        await folding.fold(*batch)
        if chance.random() < 0.3:
            await expiry.work()
    await keep(folding, _TODAY - cut)
    await expired(folding)
    left = await folding.everything(named)
    await keep(folding, None)  # later walks have other limits than it may have been folded under
    return left


def cuts(story: Sequence[Touchpoint]) -> list[int]:
    """Days before which something lies, some four of them."""
    last = math.ceil(max((each.occurred_at - at(0)).total_seconds() / 86_400 for each in story))
    return list(range(1, last + 2, max(1, last // 4)))


@pytest.mark.parametrize("name", [*STORIES, "restated", "billed"])
async def test_what_is_left_is_what_would_be_had_the_rest_never_come(database: Database, name: str) -> None:
    story = {**STORIES, "restated": RESTATED, "billed": BILLED}[name]
    named = identifiers_of(story)
    for cut in cuts(story):
        plain = await never_told(database, story, cut, named)
        for seed in range(1 if len(story) > 8 else 4):
            assert await forgotten(database, story, cut, named, seed) == plain, f"before day {cut}, seed {seed}"


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    story=stories(),
    seed=st.integers(0, 1_000),
    cut=st.integers(1, 8),
    most_tied=st.sampled_from([MOST_TIED, dict.fromkeys(MOST_TIED, 1), dict.fromkeys(MOST_TIED, 2)]),
)
async def test_any_small_story_forgotten_in_part_is_one_never_told(
    database: Database, story: list[Touchpoint], seed: int, cut: int, most_tied: Mapping[tuple[str, str], int]
) -> None:
    spread = [_later(each) for each in story]
    named = identifiers_of(spread)
    with patch.dict(identity.MOST_TIED, most_tied):
        assert await forgotten(database, spread, cut, named, seed) == await never_told(database, spread, cut, named)


def _later(touchpoint_: Touchpoint) -> Touchpoint:
    """A day later for each hundredth of one, so that a small story lasts eight days."""
    when = at(0) + (touchpoint_.occurred_at - at(0)) * 100
    return replace(touchpoint_, occurred_at=when, received_at=when)


@pytest.mark.parametrize(
    "story", [STORIES["shared_email"], STORIES["accounts"], RESTATED], ids=["shared", "b2b", "twice"]
)
async def test_what_comes_while_it_goes_on_is_told_like_what_came_before(
    database: Database, story: list[Touchpoint]
) -> None:
    cut, named = 3, identifiers_of(story)
    plain = await never_told(database, story, cut, named)
    for seed in range(4):
        folding = Folding(database, now=at(_TODAY))
        first, *then = shuffled(story, seed)
        await folding.fold(*first)
        await keep(folding, _TODAY - cut)
        others = [Folding(database, now=at(_TODAY), workspace=folding.workspace) for _ in then]
        telling = (other.fold(*batch) for other, batch in zip(others, then, strict=True))
        await asyncio.gather(*telling, expired(folding), expired(folding))
        await keep(folding, _TODAY - cut)
        await expired(folding)
        assert await folding.everything(named) == plain, f"seed {seed}"


async def test_of_many_owners_a_part_is_folded_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "MOST", 100)
    monkeypatch.setattr(working, "MOST_OWNERS", 4)
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(*(touchpoint(f"m{n:02}", n / 100, user_id=f"u{n % 10}") for n in range(30)))
    await keep(folding, 30)
    expiry, left = expiry_of(folding), []
    for _ in range(3):
        await expiry.work()
        left.append(len(await stored_of(folding, "touchpoints")))
    assert left == [18, 6, 0]


async def stored_of(folding: Folding, table: str) -> list[str]:
    async with folding.database.transaction([folding.workspace]) as connection:
        rows = await connection.fetch(f"select message_id from {table} order by 1")
    return [row["message_id"] for row in rows]


async def test_a_key_goes_with_its_touchpoint_and_a_late_one_leaves_none(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    story = [touchpoint(f"m{n}", n, user_id="ana") for n in (1, 20, 30)]
    await folding.fold(*story[:2])
    await keep(folding, _TODAY - 10)
    late = _count("late"), _count("stored")
    assert await folding.fold(touchpoint("m5", 5, user_id="ana")) == set()
    await expired(folding)
    assert (_count("late") - late[0], _count("stored") - late[1]) == (1, 1)
    assert await stored_of(folding, "touchpoints") == await stored_of(folding, "accepted") == ["m20"]
    await keep(folding, None)
    await folding.fold(*story)
    assert await stored_of(folding, "touchpoints") == ["m1", "m20", "m30"]


def _count(which: str) -> float:
    return float(metrics.EXPIRED.labels(which)._value.get())


async def test_what_the_stream_may_tell_again_stays_until_it_cannot(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(
        touchpoint("m1", 10, user_id="ana", received_at=at(_TODAY - 7)), touchpoint("m2", 9, user_id="ana")
    )
    await keep(folding, _TODAY - 20)
    await expired(folding)
    assert await stored_of(folding, "touchpoints") == await stored_of(folding, "accepted") == ["m1"]
    folding.clock.at = at(_TODAY + 1)
    await expiry_of(folding).work()
    assert await stored_of(folding, "touchpoints") == await stored_of(folding, "accepted") == []


async def test_a_turn_in_the_middle_that_goes_gives_the_hour_to_the_user_before(database: Database) -> None:
    folding, plain = Folding(database, now=at(_TODAY)), Folding(database, now=at(_TODAY))
    tablet, lately = {"anonymous_id": "tablet"}, at(_TODAY - 1)
    story = [
        touchpoint("m1", 1, user_id="bia", received_at=lately, **tablet),
        touchpoint("m2", 2, user_id="zoe", received_at=lately, **tablet),
        touchpoint("m3", 3, user_id="bia", **tablet),
        touchpoint("m4", 9, event="Report Exported", **tablet),
    ]
    await folding.fold(*story)
    await plain.fold(story[0], story[1], story[3])
    await keep(folding, _TODAY - 8)
    await expired(folding)
    assert await folding.everything(identifiers_of(story)) == await plain.everything(identifiers_of(story))


async def test_what_moved_back_to_where_the_walk_has_been_goes_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "MOST", 1)
    folding, tablet = Folding(database, now=at(_TODAY)), {"anonymous_id": "tablet"}
    await folding.fold(touchpoint("m1", 9, user_id="ana", **tablet))
    await folding.fold(touchpoint("m2", 1, user_id="bia", **tablet), touchpoint("m3", 2, **tablet))
    await keep(folding, _TODAY - 8)
    await expired(folding)
    assert await stored_of(folding, "touchpoints") == ["m1"]


async def test_begun_anew_after_every_part_it_comes_to_its_end(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(*(touchpoint(f"m{n:02}", n, user_id=f"u{n}") for n in range(20)))
    await keep(folding, _TODAY - 10)
    for _ in range(5):
        await expiry_of(folding).work()
    assert await stored_of(folding, "touchpoints") == [f"m{n}" for n in range(10, 20)]
    async with database.transaction([folding.workspace]) as connection:
        said = await retention.read(connection, folding.workspace)
    assert said is not None
    assert said.passed_until == at(10)
    folding.clock.at = at(_TODAY + 1)
    await expired_by_a_day(folding)
    assert await stored_of(folding, "touchpoints") == [f"m{n}" for n in range(11, 20)]


async def expired_by_a_day(folding: Folding) -> None:
    expiry = expiry_of(folding)
    for _ in range(3):
        await expiry.work()


async def test_a_touchpoint_that_names_what_is_known_no_longer_goes_like_any_other(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(touchpoint("m3", 300, user_id="ana"))
    await folding.fold(
        touchpoint("m1", 1, type="alias", user_id="ana", previous_id="old", anonymous_id="phone"),
        touchpoint("m2", 2, type="identify", user_id="ana", traits={"email": "ana@x.com"}),
    )
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute("delete from aliases")
        await connection.execute("delete from device_users")
        await connection.execute("delete from email_pairs")
        await connection.execute("delete from identifiers where value in ('old', 'phone', 'ana@x.com')")
    await keep(folding, 100)
    async with asyncio.timeout(20):
        await expired(folding)
    assert await stored_of(folding, "touchpoints") == ["m3"]
    told = await folding.told("user_id", "ana")
    assert told is not None
    assert told.touchpoints == 1


async def test_it_goes_on_by_itself(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(*(touchpoint(f"m{n}", n, user_id=f"u{n}") for n in range(5)))
    await keep(folding, 30)
    running = asyncio.create_task(expiry_of(folding).run())
    try:
        async with asyncio.timeout(20):
            while await stored_of(folding, "touchpoints"):  # noqa: ASYNC110 - the rows alone tell it
                await asyncio.sleep(0.1)
    finally:
        running.cancel()


async def test_only_the_workspace_that_says_so_loses_anything(database: Database) -> None:
    folding, other = Folding(database, now=at(_TODAY)), Folding(database, now=at(_TODAY))
    for each in (folding, other):
        await each.fold(touchpoint("m1", 1, user_id="ana"))
    await keep(folding, 30)
    await expired(folding)
    assert await stored_of(folding, "touchpoints") == []
    assert await stored_of(other, "touchpoints") == await stored_of(other, "accepted") == ["m1"]


async def test_a_workspace_where_something_is_broken_stops_nobody_elses(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [Folding(database, now=at(_TODAY)) for _ in range(2)]
    for each in both:
        await each.fold(touchpoint("m1", 1, user_id="ana"))
        await keep(each, 30)
    broken, sound = sorted(both, key=lambda each: each.workspace)

    async def expire(connection: Any, workspace: Any, found: Any) -> Any:
        if workspace == broken.workspace:
            raise KeyError("a defect")
        return await expiring.expire(connection, workspace, found)

    with monkeypatch.context() as patched:
        patched.setattr(working, "expire", expire)
        await expired(sound)
    assert await stored_of(broken, "touchpoints") == ["m1"]
    assert await stored_of(sound, "touchpoints") == []
    await expired(broken)
    assert await stored_of(broken, "touchpoints") == []


async def test_who_is_left_with_nothing_is_published_so_under_the_same_id(database: Database) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(touchpoint("m1", 1, user_id="ana"), touchpoint("m2", 1, group_id="acme", event="Signed Up"))
    await folding.refolder.work()
    ids = [await folding.id_of("user_id", "ana"), await folding.id_of("account", "acme")]
    await keep(folding, 30)
    await expired(folding)
    await folding.refolder.work()
    for id_ in ids:
        assert id_ is not None
        last = folding.topic.last(id_)
        assert isinstance(last, JourneySnapshot)
        assert (last.touchpoints, last.sessions, last.stage.rule) == (0, 0, "nothing_left")
    assert await folding.told("user_id", "ana") is await folding.told("account", "acme") is None
    await folding.fold(touchpoint("m3", _TODAY, user_id="ana"))
    assert await folding.id_of("user_id", "ana") == ids[0]


async def test_who_outlasts_the_device_that_named_them_goes_on_under_an_id_that_all_are_told(
    database: Database,
) -> None:
    folding = Folding(database, now=at(_TODAY))
    await folding.fold(touchpoint("m1", 1, anonymous_id="phone"))
    await folding.fold(touchpoint("m2", 2, anonymous_id="phone", user_id="ana"), touchpoint("m3", 300, user_id="ana"))
    before = await folding.id_of("user_id", "ana")
    await keep(folding, 100)
    await expired(folding)
    now = await folding.id_of("user_id", "ana")
    assert before is not None
    assert now is not None
    assert now != before
    lost, kept = folding.topic.last(before), folding.topic.last(now)
    assert isinstance(lost, MergedInto)
    assert isinstance(kept, JourneySnapshot)
    assert (lost.into, kept.touchpoints) == (now, 1)
    async with database.transaction([folding.workspace]) as connection:
        assert await portraits.find(connection, folding.workspace, Reference(before, "", "")) == now
    assert await folding.told("anonymous_id", "phone") is None
    await folding.fold(touchpoint("m4", 301, anonymous_id="phone"))
    again = await folding.told("anonymous_id", "phone")
    assert again is not None
    assert (again.subject_id, again.touchpoints) == (before, 1)
    assert again.version > lost.version


async def test_stays_in_segments_are_walked_again_over_what_is_left(database: Database) -> None:
    told = []
    for left_out in (0, 4):
        folding = Folding(database, now=at(_TODAY))
        async with database.transaction([folding.workspace]) as connection:
            condition = b'{"count":"custom","within":"10 days","at_least":2}'
            await in_force.define(connection, folding.workspace, "segment", "keen", condition, at(0))
        await folding.fold(
            *(
                touchpoint(f"m{n}", n, event="Report Exported", user_id="ana")
                for n in (1, 2, 3, 50, 100, 101)[left_out:]
            )
        )
        await keep(folding, _TODAY - 60)
        await expired(folding)
        told.append(await folding.everything([Identifier("user_id", "ana")]))
    assert told[0] == told[1]
    assert told[0]["user_id:ana"][0]["former_segments"]


async def test_a_month_that_nothing_is_left_in_is_dropped(database: Database) -> None:
    now = SystemClock().now()
    when = now - timedelta(days=900)
    folding = Folding(database, now=now)
    await folding.fold(touchpoint("m1", user_id="ana", occurred_at=when, received_at=when))
    months = Months(database, folding.clock)
    assert begin(when) not in await months.work()
    await keep(folding, 365)
    await expired(folding)
    assert begin(when) in await months.work()
