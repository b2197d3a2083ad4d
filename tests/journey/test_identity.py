"""Customers are components of the facts, in whatever order these were stored."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.journey.domain import emails, identity
from services.journey.domain.identity import (
    MOST_DEVICES,
    MOST_TIED,
    MOST_USERS,
    Facts,
    Judged,
    Named,
    Node,
    Placement,
    Sharing,
    Statement,
    Why,
    judged,
    user_at,
)
from services.journey.domain.reading import read
from tests.journey import naive_identity
from tests.journey.makes import touchpoint
from tests.journey.naive_identity import Known

_USERS = ["ana", "bia", "caio", "dora"]
_DEVICES = ["d1", "d2", "d3"]
_EMAILS = [f"{n}@x" for n in range(7)]


def nodes(users: Iterable[str], devices: Iterable[str], order: list[int] | None = None) -> list[Node]:
    named = [Named("user_id", user) for user in users] + [Named("anonymous_id", device) for device in devices]
    order = order or list(range(len(named)))
    return [Node(each, UUID(int=n), n, True) for each, n in zip(named, order, strict=True)]


def groups(placed: Judged) -> set[frozenset[Named]]:
    by_customer: dict[UUID | None, set[Named]] = {}
    for named, placement in placed.placements.items():
        by_customer.setdefault(placement.customer, set()).add(named)
    return {frozenset(theirs) for customer, theirs in by_customer.items() if customer is not None}


def tied(**users: Sequence[str]) -> Facts:
    """Devices with their users, each seen with them in this order."""
    return Facts({device: {user: (n, "", "") for n, user in enumerate(theirs)} for device, theirs in users.items()})


def of(known: Known, order: Sequence[int]) -> Judged:
    """The judgement on what is known; `order` is that in which identifiers were stored."""
    devices: dict[str, dict[str, tuple[int, str, str]]] = {
        value: {} for type_, value in known.names if type_ == "anonymous_id"
    }
    for device, user, at in known.devices:
        devices[device][user] = min(at, devices[device].get(user, at))
    turns = {
        device: [((at[0], at[1]), user) for each, user, at in sorted(known.devices, key=lambda fact: fact[2])
                 if each == device]
        for device in devices
    }  # fmt: skip
    statements = [Statement(email, Named(*by), at) for email, by, at in known.statements]
    joins = frozenset((Named(*a), Named(*b)) for a, b in known.joins)
    stored = [Node(Named(*name), UUID(int=n), n, True) for name, n in zip(known.names, order, strict=True)]
    crowds = {Named(*name): (0, "", "") for name in known.crowds}
    return judged(stored, Facts(devices, joins, statements, turns, crowds))


_NAMES = [("user_id", user) for user in _USERS] + [("anonymous_id", device) for device in _DEVICES]
_NAMES += [("email", email) for email in _EMAILS]
_PEOPLE = st.sampled_from(_NAMES[:7])


@st.composite
def everything_known(draw: st.DrawFn) -> Known:
    when = [(us, f"m{n}", "app") for n, us in enumerate(draw(st.lists(st.integers(0, 9), min_size=24, max_size=24)))]
    pairs = draw(st.lists(st.tuples(st.sampled_from(_DEVICES), st.sampled_from(_USERS)), max_size=6))
    said = draw(st.lists(st.tuples(st.sampled_from(_EMAILS), _PEOPLE), max_size=14))
    return Known(
        _NAMES,
        [(device, user, at) for (device, user), at in zip(pairs, when[:6], strict=False)],
        draw(st.lists(st.tuples(_PEOPLE, _PEOPLE), max_size=2)),
        [(email, by, at) for (email, by), at in zip(said, when[6:], strict=False)],
        draw(st.lists(st.sampled_from(_NAMES[:4]), max_size=1)),
    )


_FEW = dict.fromkeys(MOST_TIED, 2)


@settings(max_examples=600)
@given(
    known=everything_known(),
    order=st.permutations(list(range(len(_NAMES)))),
    most_tied=st.sampled_from([MOST_TIED, _FEW]),
)
def test_customers_are_those_of_the_contract_told_plainly(
    known: Known, order: list[int], most_tied: Mapping[tuple[str, str], int]
) -> None:
    with patch.dict(identity.MOST_TIED, most_tied):
        found = of(known, order)
    plain = naive_identity.told(known, most_tied)
    assert {tuple(each.named) for each in found.refusals if each.why is Why.KIOSK} == plain.kiosks
    assert {tuple(each) for each, placed in found.placements.items() if placed.sharing is Sharing.KIOSK} == plain.kiosks
    assert {frozenset(tuple(each) for each in theirs) for theirs in groups(found)} == plain.customers
    assert {tuple(each) for each, placed in found.placements.items() if placed.customer is None} == plain.nobodys
    assert {("email", each) for each in found.rivals} == plain.ambiguous
    assert all(len(rivals) > 1 for rivals in found.rivals.values())


@settings(max_examples=200)
@given(
    known=everything_known(),
    order=st.permutations(list(range(len(_NAMES)))),
    chance=st.randoms(),
    most_tied=st.sampled_from([MOST_TIED, _FEW]),
)
def test_who_is_who_and_what_is_refused_does_not_depend_on_what_was_stored_first(
    known: Known, order: list[int], chance: Random, most_tied: Mapping[tuple[str, str], int]
) -> None:
    mixed = known._replace(
        devices=chance.sample(list(known.devices), len(known.devices)),
        joins=[(b, a) for a, b in known.joins[::-1]],
        statements=chance.sample(list(known.statements), len(known.statements)),
    )
    with patch.dict(identity.MOST_TIED, most_tied):
        one, other = of(known, list(range(len(_NAMES)))), of(mixed, order)
    assert groups(one) == groups(other)
    assert one.refusals == other.refusals


def test_a_device_of_two_users_who_are_one_is_theirs() -> None:
    joins = frozenset({(Named("user_id", "ana"), Named("user_id", "bia"))})
    found = judged(nodes(["ana", "bia"], ["d1"]), tied(d1=["ana", "bia"])._replace(joins=joins))
    assert len(groups(found)) == 1
    assert found.placements[Named("anonymous_id", "d1")] == Placement(UUID(int=0), Sharing.ONE)


def test_of_an_e_mail_of_two_users_nobody_is_joined_through_the_whole_component() -> None:
    known = Known(
        [("user_id", "ana"), ("user_id", "bia"), ("anonymous_id", "d1"), ("email", "a@x"), ("email", "b@x")],
        statements=[
            ("a@x", ("user_id", "ana"), (1, "1", "")),
            ("a@x", ("anonymous_id", "d1"), (2, "2", "")),
            ("b@x", ("anonymous_id", "d1"), (3, "3", "")),
        ],
    )
    assert len(groups(of(known, range(5)))) == 2
    both = known._replace(statements=[*known.statements, ("b@x", ("user_id", "bia"), (4, "4", ""))])
    found = of(both, range(5))
    assert groups(found) == {frozenset({Named("user_id", "ana")}), frozenset({Named("user_id", "bia")}),
                             frozenset({Named("anonymous_id", "d1")})}  # fmt: skip
    assert found.rivals["a@x"] == found.rivals["b@x"] == {UUID(int=0), UUID(int=1)}
    assert {each.why for each in found.refusals} == {Why.AMBIGUOUS_EMAIL}
    merged = both._replace(joins=[(("user_id", "ana"), ("user_id", "bia"))])
    assert len(groups(of(merged, range(5)))) == 1


def test_above_a_limit_the_earliest_facts_link() -> None:
    names = [("user_id", "ana"), *(("email", f"{n}@x") for n in range(7))]
    known = Known(names, statements=[(f"{n}@x", ("user_id", "ana"), (9 - n, "", "")) for n in range(7)])
    found = of(known, range(8))
    assert {each.named.value for each in found.refusals} == {"0@x", "1@x"}
    assert {each.why for each in found.refusals} == {Why.TOO_MANY_EMAILS}
    assert found.placements[Named("email", "0@x")].customer is None
    devices = [f"d{n}" for n in range(MOST_DEVICES + 2)]
    facts = Facts({device: {"ana": (n, "", "")} for n, device in enumerate(devices)})
    found = judged(nodes(["ana"], devices), facts)
    assert {each.named.value for each in found.refusals} == set(devices[MOST_DEVICES:])
    assert {each.why for each in found.refusals} == {Why.TOO_MANY_ANONYMOUS_IDS}
    assert len({each.customer for each in found.placements.values()}) == 3


@pytest.mark.parametrize(
    ("given", "email"),
    [
        ("  Ana@Example.COM ", "ana@example.com"),
        ("null", None), ("null@example.com", None), ("a@undefined", None), ("a@null.com", None), ("undefined@x", None),
        ("anonymous@x.com", None), ("0@x.com", None), ("a@b@c", None), ("a b@c", None), ("@x", None), ("", None),
        ("a\u0000@x.com", None), ("a" * 250 + "@x.com", None), (None, None), (7, None), (["a@x.com"], None),
    ],
)  # fmt: skip
def test_what_everybody_or_nobody_has_is_no_e_mail(given: object, email: str | None) -> None:
    assert emails.canonical(given) == email


def test_an_e_mail_is_stated_by_identify_in_traits_and_by_nothing_in_properties() -> None:
    mail = {"email": "ana@x.com"}
    said = ("ana@x.com", Named("user_id", "ana"))
    assert emails.stated(read(touchpoint("1", type="identify", user_id="ana", traits=mail))) == said
    assert emails.stated(read(touchpoint("1", type="identify", user_id="ana", context={"traits": mail}))) == said
    silent = [
        touchpoint("1", type="identify", user_id="ana", properties=mail),
        touchpoint("1", event="Signed In", user_id="ana", context={"traits": mail}),
        touchpoint("1", type="group", user_id="ana", group_id="acme", traits=mail),
        touchpoint("1", type="identify", user_id="ana", traits=mail, source="jornada"),
    ]
    assert [emails.stated(read(each)) for each in silent] == [None] * 4
    by_device = read(touchpoint("1", type="identify", anonymous_id="d", traits=mail))
    assert emails.stated(by_device) == ("ana@x.com", Named("anonymous_id", "d"))


def test_two_users_of_one_device_are_not_joined() -> None:
    placed = judged(nodes(["ana", "bia"], ["d1"]), tied(d1=["ana", "bia"]))
    assert placed.placements[Named("anonymous_id", "d1")] == Placement(None, Sharing.SHARED)
    assert len(groups(placed)) == 2


def test_a_device_of_too_many_users_is_a_kiosk() -> None:
    users = [f"u{n}" for n in range(MOST_USERS + 1)]
    placed = judged(nodes(users, ["d1"]), tied(d1=users)).placements
    assert placed[Named("anonymous_id", "d1")].sharing is Sharing.KIOSK
    assert placed[Named("anonymous_id", "d1")].customer is not None
    placed = judged(nodes(users[1:], ["d1"]), tied(d1=users[1:])).placements
    assert placed[Named("anonymous_id", "d1")].sharing is Sharing.SHARED


def test_the_user_of_a_device_is_that_of_the_latest_fact_until_then_or_of_the_earliest() -> None:
    facts = [((10, "a"), "ana"), ((20, "b"), "bia"), ((20, "c"), "caio")]
    assert [user_at(facts, us) for us in (5, 10, 19, 20, 99)] == ["ana", "ana", "ana", "caio", "caio"]
