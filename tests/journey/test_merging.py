"""Operators' merges and undos: facts like any other, early or late, and none of them for ever."""

import random

import pytest

from jornada.db import Database
from jornada.events import Identifier, JourneySnapshot, MergedInto, SubjectId, Touchpoint, new_id
from services.journey.domain.identity import Why
from services.journey.store import merges
from services.journey.store.merges import Said
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, touchpoint
from tests.journey.test_order import EMAILS, LATE_ALIAS, RIVALS, SHARED, identifiers_of

BY = new_id()


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def id_of(folding: Folding, type_: str, value: str) -> SubjectId:
    found = await folding.id_of(type_, value)
    assert found is not None
    return found


async def merge(folding: Folding, a: str, b: str) -> Said:
    said = await folding.merger.merge(
        folding.workspace, await id_of(folding, "user_id", a), await id_of(folding, "user_id", b), BY
    )
    assert said is not None
    return said


async def said_of(folding: Folding, id_: str) -> Said:
    async with folding.database.transaction([folding.workspace]) as connection:
        said = await merges.one(connection, folding.workspace, id_)
    assert said is not None
    return said


async def refused(folding: Folding) -> dict[str, Why]:
    found = await folding.refused()
    return {f"{each.named.value} {each.to.value if each.to else ''}": each.why for each in found}


def known_by(story: list[Touchpoint], *users: str) -> int:
    """How many of the story must be told until all of the users are known."""
    seen = [next(n for n, each in enumerate(story) if each.user_id == user) for user in users]
    return max(seen) + 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("story", [SHARED, RIVALS], ids=["shared", "rivals"])
async def test_a_merge_early_or_late_gives_what_one_user_from_the_start_would_have_given(
    database: Database, story: list[Touchpoint], seed: int
) -> None:
    chance = random.Random(seed)
    told = chance.sample(story, len(story))
    at = chance.randint(known_by(told, "ana", "bia"), len(told))
    folding, aliased = Folding(database), Folding(database)
    await folding.fold(*told[:at])
    await merge(folding, "ana", "bia")
    for each in told[at:]:
        await folding.fold(each)
    joined = touchpoint("zz", 7, type="alias", user_id="ana", previous_id="bia", source="jornada-tests")
    await aliased.fold(joined, *story)
    one, other = await folding.told("user_id", "ana"), await aliased.told("user_id", "ana")
    assert one is not None
    assert other is not None
    assert (one.touchpoints, one.traits) == (other.touchpoints - 1, other.traits)
    assert {*one.identifiers} == {*other.identifiers} - {Identifier("anonymous_id", "bia")}
    late = Folding(database)
    await late.fold(*story)
    await merge(late, "bia", "ana")
    named = identifiers_of(story)
    assert await folding.everything(named) == await late.everything(named)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("story", [SHARED, EMAILS[:3] + RIVALS[3:]], ids=["shared", "rivals"])
async def test_a_merge_undone_leaves_what_was_never_merged(
    database: Database, story: list[Touchpoint], seed: int
) -> None:
    chance = random.Random(seed)
    told = chance.sample(story, len(story))
    merged_at = chance.randint(known_by(told, "ana", "bia"), len(told))
    undone_at = chance.randint(merged_at, len(told))
    folding, plain = Folding(database), Folding(database)
    await plain.fold(*story)
    await folding.fold(*told[:merged_at])
    said = await merge(folding, "ana", "bia")
    if told[merged_at:undone_at]:
        await folding.fold(*told[merged_at:undone_at])
    assert await folding.merger.undo(folding.workspace, said, BY)
    assert not await folding.merger.undo(folding.workspace, said, BY)
    if told[undone_at:]:
        await folding.fold(*told[undone_at:])
    named = identifiers_of(story)
    assert await folding.everything(named) == await plain.everything(named)


async def test_both_are_published_with_versions_above_all_they_had_on_merge_and_on_undo(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(touchpoint("m1", 0, user_id="ana"), touchpoint("m2", 1, user_id="bia"))
    first, second = await id_of(folding, "user_id", "ana"), await id_of(folding, "user_id", "bia")
    versions = {each: folding.topic.last(each).version for each in (first, second)}
    said = await merge(folding, "bia", "ana")
    kept, lost = folding.topic.last(first), folding.topic.last(second)
    assert isinstance(kept, JourneySnapshot)
    assert isinstance(lost, MergedInto)
    assert (kept.touchpoints, lost.into) == (2, first)
    assert await folding.merger.merge(folding.workspace, first, second, BY) is None
    assert min(kept.version, lost.version) > max(versions.values())
    await folding.merger.undo(folding.workspace, said, BY)
    for each in (first, second):
        parted = folding.topic.last(each)
        assert isinstance(parted, JourneySnapshot)
        assert parted.touchpoints == 1
        assert parted.version > max(kept.version, lost.version)
    undone = await said_of(folding, said.id)
    assert (undone.by, undone.undone_by) == (BY, BY)
    assert undone.undone_at == folding.clock.now()


async def test_an_alias_is_undone_whatever_is_told_again_and_another_that_says_the_same_holds(
    database: Database,
) -> None:
    folding, plain = Folding(database), Folding(database)
    await folding.fold(*LATE_ALIAS)
    for id_ in ("alias:app:a6", "alias:app:a7"):
        assert await folding.merger.undo(folding.workspace, await said_of(folding, id_), BY)
    await folding.fold(*LATE_ALIAS)
    assert await folding.id_of("user_id", "old") != await folding.id_of("user_id", "new")
    assert await folding.id_of("anonymous_id", "cookie") != await folding.id_of("user_id", "new")
    named = identifiers_of(LATE_ALIAS)
    again = touchpoint("a66", 12, type="alias", previous_id="old", user_id="new")
    await folding.fold(again)
    await plain.fold(*(each for each in LATE_ALIAS if each.message_id not in {"a6", "a7"}), again)
    assert await folding.id_of("user_id", "old") == await folding.id_of("user_id", "new")
    one, other = await folding.told("user_id", "new"), await plain.told("user_id", "new")
    assert one is not None
    assert other is not None
    assert {*one.identifiers} == {*other.identifiers}
    assert {Identifier("anonymous_id", "cookie"), Identifier("user_id", "old")} - {*one.identifiers} == {
        Identifier("anonymous_id", "cookie")
    }
    assert len(named) > 4


async def test_an_undone_alias_stays_undone_when_everything_is_folded_anew(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*LATE_ALIAS)
    await folding.merger.undo(folding.workspace, await said_of(folding, "alias:app:a7"), BY)
    async with database.transaction([folding.workspace]) as connection:
        for table in ("accepted", "touchpoints", "device_users", "aliases", "subjects", "sessions"):
            await connection.execute(f"delete from {table}")
    await folding.fold(*LATE_ALIAS)
    assert await folding.id_of("anonymous_id", "cookie") != await folding.id_of("user_id", "new")


async def test_refused_links_are_reported_and_no_longer_when_they_hold(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*RIVALS, *SHARED)
    found = await refused(folding)
    assert found["tablet ana"] is Why.SHARED_DEVICE
    assert found["ana@example.com phone"] is Why.AMBIGUOUS_EMAIL
    await merge(folding, "ana", "bia")
    assert await refused(folding) == {}


TABLET = [
    touchpoint("t1", 1, anonymous_id="tablet", user_id="ana", event="Signed In"),
    touchpoint("t2", 2, type="alias", previous_id="tablet", user_id="caio"),
    touchpoint("t3", 3, anonymous_id="tablet", event="Report Exported"),
    touchpoint("t4", 4, anonymous_id="tablet", user_id="bia", event="Signed In"),
]


@pytest.mark.parametrize("story", [TABLET[:3], TABLET], ids=["one_is_left", "still_shared"])
async def test_an_alias_undone_gives_what_was_done_in_its_hours_back(
    database: Database, story: list[Touchpoint]
) -> None:
    folding, plain = Folding(database), Folding(database)
    await folding.fold(*story)
    caio = await folding.told("user_id", "caio")
    assert caio is not None
    assert caio.touchpoints == 2
    assert await folding.merger.undo(folding.workspace, await said_of(folding, "alias:app:t2"), BY)
    without = [each for each in story if each.message_id != "t2"]
    await plain.fold(*without)
    named = identifiers_of(without)
    assert await folding.everything(named) == await plain.everything(named)
