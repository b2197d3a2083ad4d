"""What too much is tied to costs no more with each new fact, and tells nothing."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import patch

import pytest

from jornada.db import Connection, Database
from jornada.events import Identifier, Touchpoint
from jornada.instants import micros
from services.journey.domain import identity
from services.journey.domain.identity import MOST_TIED, Named, Refusal, Why
from services.journey.domain.reading import Moment
from services.journey.store import neighbourhoods, portraits, refusals
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, touchpoint

MOST = MOST_TIED["user_id", "email"]


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


class Counted:
    """A connection that counts the statements and the rows read through it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.statements = self.rows = 0

    async def fetch(self, query: str, *given: Any) -> list[Any]:
        rows = await self._connection.fetch(query, *given)
        self.statements += 1
        self.rows += len(rows)
        return rows


async def read_near(folding: Folding, *named: Named) -> tuple[int, int, int]:
    """How many statements and rows it takes to know what is near identifiers, and how many those are."""
    async with folding.database.transaction([folding.workspace]) as connection:
        counted = Counted(connection)
        near = await neighbourhoods.around(cast(Connection, counted), folding.workspace, named)
    return counted.statements, counted.rows, len(near.named)


def stated(n: int, **by: str) -> Touchpoint:
    return touchpoint(f"{next(iter(by))}{n:05}", n / 1_000, type="identify", traits={"email": f"c{n}@x.com"}, **by)


@pytest.mark.parametrize("by", ["user_id", "anonymous_id"])
async def test_what_states_ever_more_e_mails_is_read_no_further_with_each(database: Database, by: str) -> None:
    folding = Folding(database)
    support = Named(by, "support")
    await folding.fold(*(stated(n, **{by: "support"}) for n in range(2 * MOST)))
    before = await read_near(folding, support, Named("email", f"c{2 * MOST - 1}@x.com"))
    await folding.fold(*(stated(n, **{by: "support"}) for n in range(2 * MOST, 8 * MOST)))
    assert await read_near(folding, support, Named("email", f"c{8 * MOST - 1}@x.com")) == before
    assert before[1] < 3 * MOST
    assert before[2] == 2
    assert [(each.named, each.to, each.why) for each in await folding.refused()] == [(support, None, Why.KIOSK)]
    told = await folding.told(by, "support")
    assert told is not None
    assert [each.type for each in told.identifiers] == [by]


async def test_an_e_mail_of_ever_more_user_ids_is_read_no_further_with_each(database: Database) -> None:
    folding = Folding(database)
    mail = {"email": "test@x.com"}
    people = [touchpoint(f"m{n:05}", n, type="identify", user_id=f"u{n}", traits=mail) for n in range(6 * MOST)]
    await folding.fold(*people[: 2 * MOST])
    before = await read_near(folding, Named("email", "test@x.com"), Named("user_id", "u0"))
    await folding.fold(*people[2 * MOST :])
    assert await read_near(folding, Named("email", "test@x.com"), Named("user_id", "u0")) == before
    assert before[2] == 2
    with pytest.raises(portraits.Ambiguous) as caught:
        await folding.id_of("email", "test@x.com")
    assert len(caught.value.customers) == MOST + 1


async def test_at_the_limit_the_earliest_e_mails_link_and_above_it_none(database: Database) -> None:
    folding = Folding(database)
    story: Sequence[Touchpoint] = [stated(n, user_id="ana") for n in range(MOST + 1)]
    await folding.fold(*story[:MOST])
    ana = await folding.told("user_id", "ana")
    assert ana is not None
    assert len(ana.identifiers) == 6
    assert {each.why for each in await folding.refused()} == {Why.TOO_MANY_EMAILS}
    await folding.fold(story[MOST])
    ana = await folding.told("user_id", "ana")
    assert ana is not None
    assert len(ana.identifiers) == 1
    assert ana.traits == {"email": f"c{MOST}@x.com"}


def identifies(id_: str, days: float, email: str, **by: str) -> Touchpoint:
    return touchpoint(id_, days, type="identify", traits={"email": email}, **by)


RIVALS_FREED = [
    [identifies("m1", 9, "a@x.com", user_id="support"), identifies("m2", 8, "a@x.com", user_id="ana")],
    [identifies(f"n{n}", n, f"c{n}@x.com", user_id="support") for n in range(3)],
]
"""A support tool turns into a kiosk by e-mails all earlier than the one that it rivals for."""

TABLET_FREED = [
    [
        touchpoint("m1", 1, user_id="zoe", anonymous_id="tablet"),
        touchpoint("m2", 3, user_id="yan", anonymous_id="tablet"),
        identifies("m3", 2, "e@x.com", anonymous_id="tablet"),
        identifies("m4", 4, "e@x.com", user_id="xia"),
        identifies("m5", 5, "f@x.com", user_id="zoe"),
    ],
    [touchpoint(f"n{n}", 6, user_id=user, anonymous_id="tablet") for n, user in enumerate("abc")],
]
"""A device turns into a kiosk by users all earlier by name than the one whose hour made an e-mail ambiguous."""


@pytest.mark.parametrize(
    ("batches", "email", "user"),
    [(RIVALS_FREED, "a@x.com", "ana"), (TABLET_FREED, "f@x.com", "zoe")],
    ids=["rivals", "tablet"],
)
async def test_what_a_kiosk_kept_apart_as_it_became_one_is_judged_without_it(
    database: Database, batches: Sequence[Sequence[Touchpoint]], email: str, user: str
) -> None:
    folding, at_once = Folding(database), Folding(database)
    with patch.dict(MOST_TIED, dict.fromkeys(MOST_TIED, 2)):
        await folding.fold(*batches[0])
        with pytest.raises(portraits.Ambiguous):
            await folding.id_of("email", email)
        await folding.fold(*batches[1])
        await at_once.fold(*batches[0], *batches[1])
    assert await folding.id_of("email", email) == await folding.id_of("user_id", user)
    assert await folding.refused() == await at_once.refused()


async def test_what_is_aliased_with_ever_more_user_ids_is_read_no_further_with_each(database: Database) -> None:
    most = 4
    folding, story = Folding(database), []
    for n in range(6 * most):
        story += [touchpoint(f"u{n:05}", n, user_id=f"u{n}")] * (n < most + 2)
        story += [
            touchpoint(f"a{n:05}-{again}", n, type="alias", user_id="tool", previous_id=f"u{n}") for again in "xy"
        ]
    with (
        patch.dict(MOST_TIED, {("user_id", "user_id"): most}),
        patch.object(identity, "MOST_DEVICES", most),
        patch.object(neighbourhoods, "MOST_DEVICES", most),
    ):
        await folding.fold(*story[: 3 * most])
        joined = await folding.told("user_id", "tool")
        await folding.fold(*story[3 * most : 5 * most])
        before = await read_near(folding, Named("user_id", "tool"))
        await folding.fold(*story[5 * most :])
        assert await read_near(folding, Named("user_id", "tool")) == before
        assert [each for each in await folding.refused() if each.why is Why.KIOSK] == [
            Refusal(Named("user_id", "tool"), None, Why.KIOSK, moment(story[1]))
        ]
        at_once = Folding(database)
        await at_once.fold(*reversed(story))
        named = [Identifier("user_id", "tool"), *(Identifier("user_id", f"u{n}") for n in range(most + 2))]
        assert await folding.everything(named) == await at_once.everything(named)
    assert joined is not None
    assert len([each for each in joined.identifiers if each.type == "user_id"]) == most + 1
    assert await folding.id_of("user_id", "tool") != await folding.id_of("user_id", "u0")


def moment(touchpoint: Touchpoint) -> Moment:
    return micros(touchpoint.occurred_at), touchpoint.message_id, touchpoint.source


async def test_a_device_that_earlier_ones_push_above_the_limit_is_parted(database: Database) -> None:
    folding, at_once = Folding(database), Folding(database)
    story = [touchpoint(f"m{n}", n, user_id="ana", anonymous_id=f"d{n}") for n in (2, 1, 0)]
    with patch.object(identity, "MOST_DEVICES", 2), patch.object(neighbourhoods, "MOST_DEVICES", 2):
        for each in story:
            await folding.fold(each)
        await at_once.fold(*story)
        named = [Identifier("user_id", "ana"), *(Identifier("anonymous_id", f"d{n}") for n in range(3))]
        assert await folding.everything(named) == await at_once.everything(named)
    assert await folding.id_of("anonymous_id", "d1") == await folding.id_of("user_id", "ana")
    assert await folding.id_of("anonymous_id", "d2") != await folding.id_of("user_id", "ana")


async def test_what_is_refused_is_looked_up_by_its_key_however_many_are_named(database: Database) -> None:
    folding = Folding(database)
    async with database.transaction([folding.workspace]) as connection:
        await connection.execute(
            """insert into refusals (workspace, type, value, to_type, to_value, why, occurred_at, message_id, source)
               select $1, 'anonymous_id', 'd' || n, '', '', 'kiosk', now(), 'm', 'app'
               from generate_series(1, 5000) as n""",
            folding.workspace,
        )
    async with database.transaction(role="postgres") as connection:
        await connection.execute("analyze refusals")
    named = [Named("anonymous_id", f"d{n}") for n in range(1_000)]
    async with database.transaction([folding.workspace]) as connection:
        planned = Planned(connection)
        await refusals.replace(cast(Connection, planned), folding.workspace, named, ())
    assert planned.plans
    assert "Seq Scan on refusals" not in planned.plans[0]


class Planned:
    """A connection that keeps the plans of what it fetches."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def fetch(self, query: str, *given: Any) -> list[Any]:
        self.plans.append("\n".join(row[0] for row in await self._connection.fetch(f"explain {query}", *given)))
        return await self._connection.fetch(query, *given)

    async def executemany(self, query: str, rows: list[Any]) -> None:
        await self._connection.executemany(query, rows)
