"""What sources send is counted once, by the hour in which it arrived, and of roughly how many customers it is."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jornada.db import Database
from jornada.events import Touchpoint, new_id
from services.journey.domain import volumes as domain
from services.journey.store import retention, volumes
from services.journey.store.volumes import Sent, Wanted
from services.journey.worker.counting import KEPT, PastVolumes
from services.journey.worker.fold import TouchpointFold
from tests.conftest import DatabaseFactory
from tests.journey.makes import PSEUDONYMS, Folding, at, received, touchpoint

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def counted(folding: Folding, limit: int = 1_000, after: volumes.Place | None = None, **given: Any) -> list[Sent]:
    async with folding.database.transaction([folding.workspace]) as connection:
        return await volumes.listed(connection, folding.workspace, Wanted(**given), limit, after)


async def by_kind(folding: Folding) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in await counted(folding):
        found[each.kind] += each.touchpoints
    return dict(found)


def used(id_: str, days: float = 0, user: str = "ana", **given: Any) -> Touchpoint:
    return touchpoint(id_, days, event="Report Exported", user_id=user, **given)


ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.sampled_from(["app", "shop"]),
        st.sampled_from(["Report Exported", "Order Completed", "Signed In"]),
        st.sampled_from(["ana", "bia", "eva", "leo"]),
    ),
    max_size=24,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=ARRIVALS, drawn=st.randoms(use_true_random=False))
async def test_whatever_the_order_the_batches_and_the_repetition_each_touchpoint_counts_once(
    database: Database, arrivals: list[tuple[int, str, str, str]], drawn: random.Random
) -> None:
    sent = [
        touchpoint(f"m{n}", minutes / 1_440, event=event, user_id=user, source=source)
        for n, (minutes, source, event, user) in enumerate(arrivals)
    ]
    expected = Counter(
        (each.received_at.replace(minute=0, second=0, microsecond=0), each.source, each.event) for each in sent
    )
    repeated = [*sent, *sent]
    drawn.shuffle(repeated)
    folding = Folding(database)
    for batch in batches(repeated, drawn):
        await folding.fold(*batch)
    found = await counted(folding)
    assert Counter({(each.hour, each.source, each.kind): each.touchpoints for each in found}) == Counter(
        {(hour, source, KINDS[event or ""]): number for (hour, source, event), number in expected.items()}
    )
    for each in found:
        own = [
            told
            for told in sent
            if (told.source, KINDS[told.event or ""]) == (each.source, each.kind)
            and each.hour <= told.received_at < each.hour + HOUR
        ]
        assert each.last_received_at == max(told.received_at for told in own)
        assert abs(each.customers - len({told.user_id for told in own})) <= 1


KINDS = {"Report Exported": "custom", "Order Completed": "purchased", "Signed In": "signed_in"}


def batches(told: Sequence[Touchpoint], drawn: random.Random) -> list[Sequence[Touchpoint]]:
    cuts = sorted(drawn.sample(range(len(told)), min(2, len(told))))
    return [part for begin, end in zip([0, *cuts], [*cuts, None], strict=True) if (part := told[begin:end])]


async def test_what_arrived_counts_in_the_hour_of_its_arrival_whenever_it_happened(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(used("m1", 2, occurred_at=at(0.5)), used("m2", 2, occurred_at=at(1)))
    assert [(each.hour, each.touchpoints, each.customers) for each in await counted(folding)] == [(at(2), 2, 1)]


async def test_history_and_what_we_sent_ourselves_are_no_sign_that_a_source_still_sends(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(
        used("m1", 1, history=True, occurred_at=at(-60)),
        touchpoint("m2", 1, event="Message Sent", user_id="ana", source="jornada"),
        used("m3", 1),
    )
    assert [(each.source, each.touchpoints) for each in await counted(folding)] == [("app", 1)]


async def test_what_is_older_than_is_kept_counts_no_more_often_than_it_is_read(database: Database) -> None:
    folding = Folding(database, at(30))
    async with database.transaction([folding.workspace]) as connection:
        await retention.write(connection, folding.workspace, 7, new_id(), at(30))
    late = used("m1", 30, occurred_at=at(1))
    await folding.fold(late)
    await folding.fold(late, used("m2", 30))
    assert await by_kind(folding) == {"custom": 1}


async def test_customers_of_several_batches_are_told_together_and_each_once(database: Database) -> None:
    folding = Folding(database)
    for n, user in enumerate(["ana", "bia", "eva", "bia"]):
        await folding.fold(used(f"m{n}", user=user))
    (found,) = await counted(folding)
    assert (found.touchpoints, found.customers in (2, 3)) == (4, True)


async def test_a_batch_that_is_rolled_back_counts_nothing(database: Database) -> None:
    folding, fold = Folding(database), TouchpointFold
    told = received(replace(used("m1"), workspace=folding.workspace))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction([folding.workspace]) as connection:
            await fold(folding.publisher, PSEUDONYMS, folding.clock)(connection, [told])
            raise ZeroDivisionError
    assert await counted(folding) == []


async def test_who_counts_another_partitions_touchpoints_waits_for_nobody(database: Database) -> None:
    folding = Folding(database)
    fold = TouchpointFold(folding.publisher, PSEUDONYMS, folding.clock)
    await folding.fold(used("m", 1), used("n", 1, user="bia"))
    one, other = (
        received(replace(used(f"m{n}", user=user), workspace=folding.workspace))._replace(partition=n)
        for n, user in enumerate(["ana", "bia"])
    )
    async with database.transaction([folding.workspace]) as connection:
        await fold(connection, [one])
        async with asyncio.timeout(5), database.transaction([folding.workspace]) as another:
            await fold(another, [other])
    assert [(each.touchpoints, each.customers) for each in await counted(folding, until=at(1))] == [(2, 2)]


async def test_an_erasure_leaves_what_was_counted_and_what_falls_under_it_is_not_counted(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(used("m1"), used("m2", user="bia"))
    before = await counted(folding)
    customer = await folding.id_of("user_id", "ana")
    assert customer is not None
    await folding.eraser.erase(folding.workspace, customer, block=False, by=new_id())
    assert await counted(folding) == before
    await folding.fold(used("m1"), used("m3"))
    assert await counted(folding) == before


async def test_a_page_of_them_goes_on_where_the_one_before_ended(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*(used(f"m{n}", n / 48, source=f"app{n % 3}") for n in range(12)))
    whole = await counted(folding)
    found: list[Sent] = []
    while part := await counted(folding, 2, (found[-1].hour, found[-1].source, found[-1].kind) if found else None):
        found += part
    assert found == whole
    assert len(whole) == 12
    within = await counted(folding, since=at(0) + HOUR, until=at(0) + 2 * HOUR, source="app0")
    assert within == [each for each in whole if each.hour == at(0) + HOUR and each.source == "app0"]


async def test_nobody_sees_what_was_counted_of_another_workspace(database: Database) -> None:
    ours, theirs = Folding(database), Folding(database)
    await ours.fold(used("m1"))
    await theirs.fold(used("m1"), used("m2"))
    async with database.transaction([ours.workspace]) as connection:
        rows = await connection.fetch("select workspace, touchpoints from volumes")
    assert [tuple(row) for row in rows] == [(ours.workspace, 1)]


async def test_hours_long_past_are_dropped_in_every_workspace_and_no_others(database: Database) -> None:
    one, other = Folding(database), Folding(database)
    for each in (one, other):
        await each.fold(used("m1", 100), used("m2", 101))
    one.clock.at = at(100) + KEPT + timedelta(seconds=1)
    await PastVolumes(database, one.clock).work()
    for each in (one, other):
        assert [found.hour for found in await counted(each)] == [at(101)]


@pytest.mark.parametrize("many", [1, 3, 12, 100, 1_000, 50_000])
def test_as_many_customers_are_told_as_there_are_within_three_standard_errors(many: int) -> None:
    ids = [new_id() for _ in range(many)]
    told = domain.customers(_bits(PSEUDONYMS.within_hour(492_000, each) for each in ids))
    assert abs(told - many) <= max(2, 3 * 0.09 * many)


def _bits(hashes: Any) -> int:
    return domain.sketched(hashes).bit_count()


@given(st.integers(0, domain.BITS - 1))
def test_more_bits_are_never_fewer_customers(bits: int) -> None:
    assert domain.customers(0) == 0
    assert domain.customers(1) == 1
    assert domain.customers(bits) <= domain.customers(bits + 1)


@given(st.lists(st.integers(0, 2**32 - 1)), st.lists(st.integers(0, 2**32 - 1)))
def test_two_sketches_joined_are_the_sketch_of_all(one: list[int], other: list[int]) -> None:
    assert domain.sketched(one) | domain.sketched(other) == domain.sketched([*other, *one, *one])


def test_a_customer_is_told_apart_within_an_hour_and_followed_into_no_other() -> None:
    id_ = new_id()
    assert PSEUDONYMS.within_hour(7, id_) == PSEUDONYMS.within_hour(7, id_)
    assert len({PSEUDONYMS.within_hour(hour, id_) for hour in range(-5, 95)}) == 100
