"""Customers are components of the facts, in whatever order these were stored."""

from collections.abc import Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.identity import MOST_USERS, Named, Node, Placement, Sharing, placements, user_at

_USERS = ["ana", "bia", "caio", "dora"]
_DEVICES = ["d1", "d2", "d3"]


def nodes(users: Iterable[str], devices: Iterable[str], order: list[int] | None = None) -> list[Node]:
    named = [Named("user_id", user) for user in users] + [Named("anonymous_id", device) for device in devices]
    order = order or list(range(len(named)))
    return [Node(each, UUID(int=n), n, True) for each, n in zip(named, order, strict=True)]


def groups(placed: dict[Named, Placement]) -> set[frozenset[Named]]:
    by_customer: dict[UUID | None, set[Named]] = {}
    for named, placement in placed.items():
        by_customer.setdefault(placement.customer, set()).add(named)
    return {frozenset(theirs) for customer, theirs in by_customer.items() if customer is not None}


@given(
    pairs=st.lists(st.tuples(st.sampled_from(_DEVICES), st.sampled_from(_USERS)), max_size=8),
    aliases=st.lists(st.tuples(st.sampled_from(_USERS), st.sampled_from(_USERS)), max_size=3),
    order=st.permutations(list(range(7))),
)
def test_who_is_who_does_not_depend_on_what_was_stored_first(
    pairs: list[tuple[str, str]], aliases: list[tuple[str, str]], order: list[int]
) -> None:
    devices = {device: frozenset(user for each, user in pairs if each == device) for device in _DEVICES}
    one = placements(nodes(_USERS, _DEVICES), devices, aliases)
    other = placements(nodes(_USERS, _DEVICES, order), devices, aliases[::-1])
    assert groups(one) == groups(other)
    assert {named: each.sharing for named, each in one.items()} == {
        named: each.sharing for named, each in other.items()
    }
    for theirs in groups(one):
        stated = {each.value for each in theirs if each.type == "user_id"}
        assert len(stated) <= 1 or any({previous, user} <= stated for previous, user in aliases)


def test_two_users_of_one_device_are_not_joined() -> None:
    placed = placements(nodes(["ana", "bia"], ["d1"]), {"d1": frozenset({"ana", "bia"})}, [])
    assert placed[Named("anonymous_id", "d1")] == Placement(None, Sharing.SHARED)
    assert len(groups(placed)) == 2


def test_an_alias_of_an_id_never_stated_as_a_user_joins_no_users() -> None:
    ghost = Node(Named("user_id", "cookie"), UUID(int=9), 9, False)
    placed = placements([*nodes(["ana"], []), ghost], {}, [("cookie", "ana")])
    assert placed[Named("user_id", "ana")].customer == UUID(int=0)
    assert placed[ghost.named].customer == UUID(int=9)


def test_a_device_of_too_many_users_is_a_kiosk() -> None:
    users = [f"u{n}" for n in range(MOST_USERS + 1)]
    placed = placements(nodes(users, ["d1"]), {"d1": frozenset(users)}, [])
    assert placed[Named("anonymous_id", "d1")].sharing is Sharing.KIOSK
    assert placed[Named("anonymous_id", "d1")].customer is not None
    placed = placements(nodes(users[1:], ["d1"]), {"d1": frozenset(users[1:])}, [])
    assert placed[Named("anonymous_id", "d1")].sharing is Sharing.SHARED


def test_the_user_of_a_device_is_that_of_the_latest_fact_until_then_or_of_the_earliest() -> None:
    facts = [((10, "a"), "ana"), ((20, "b"), "bia"), ((20, "c"), "caio")]
    assert [user_at(facts, us) for us in (5, 10, 19, 20, 99)] == ["ana", "ana", "ana", "caio", "caio"]
