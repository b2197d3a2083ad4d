"""What was sent a short while ago is known again, in flight or acked, natively or not.

Broken on purpose, each turned a test of this file red: a twin within a request let pass; what was noted of one that
was not new kept, or more taken back; the older half not looked at, by either way; the source left out; a turn that
keeps the older half; one of two that failed forgotten alone; what is in flight forgotten at a turn, and noted anew at
each.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import express
from services.ingest.domain.express import sent
from services.ingest.memory import Flight, Halves, RecentIds
from tests.ingest.lanes import HEADERS, arrived
from tests.ingest.makes import batch, event

HASH, OTHER = "0123456789abcdef" * 2, "f" * 32
native = pytest.mark.skipif(not express.IS_OPEN, reason="NO EXPRESS LANE, NOTHING HERE WAS RUN: cargo is missing")
both = pytest.mark.parametrize("halves", [Halves, pytest.param(express.RECENT, marks=native)], ids=["python", "native"])


@both
def test_the_memory_is_bounded_and_forgets_the_oldest(halves: Any) -> None:
    recent = RecentIds(6, halves)
    for id_ in "abcdefgh":
        flight = Flight({id_: HASH})
        recent.begin(flight)
        recent.end(flight, acked=id_ != "g")
        assert recent.twin("z", HASH) is None
    assert "".join(each for each in "abcdefgh" if recent.twin(each, HASH)) == "defh"


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "acked", "failed", "ask"]), st.sets(st.sampled_from("abcdefgh"), min_size=1)),
    max_size=60,
)


@both
@given(steps, st.sampled_from([2, 6, 1_000]))
def test_an_id_in_flight_is_known_with_its_flight_and_what_failed_is_new_again(
    halves: Any, story: list[tuple[str, set[str]]], capacity: int
) -> None:
    recent = RecentIds(capacity, halves)
    acked: set[str] = set()
    flying: list[Flight] = []
    for what, ids in story:
        if what == "begin" and (new := {id_ for id_ in ids if recent.twin(id_, OTHER) is None}):
            flying.append(Flight(dict.fromkeys(sorted(new), HASH)))
            recent.begin(flying[-1])
        elif what in ("acked", "failed") and flying:
            flight = flying.pop(len(ids) % len(flying))
            recent.end(flight, acked=what == "acked")
            acked = acked | set(flight.hashes) if what == "acked" else acked - set(flight.hashes)
        in_flight = {id_: flight for flight in flying for id_ in flight.hashes}
        for id_ in ids if what == "ask" else ():
            twin = recent.twin(id_, HASH)
            if id_ in in_flight:
                assert twin == (True, in_flight[id_])
                assert recent.twin(id_, OTHER) == (False, in_flight[id_])
            elif capacity == 1_000 and id_ in acked:
                assert twin == (True, None)
            elif id_ not in acked:
                assert twin is None


@native
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["keep", "drop", "turn"]),
            st.dictionaries(st.text("aé/", max_size=3), st.integers(0, (1 << 128) - 1)),
        )
    ),
    st.integers(0, 3),
)
def test_the_native_memory_remembers_what_the_other_does(story: list[tuple[str, dict[str, int]]], half: int) -> None:
    plain, recent = Halves(half), express.RECENT(half)  # type: ignore[misc]
    for what, numbers in story:
        ids = {id_: f"{number:032x}" for id_, number in numbers.items()}
        for each in (plain, recent):
            each.turn() if what == "turn" else getattr(each, what)(ids)
        assert [recent.of(id_) for id_ in ids] == [plain.of(id_) for id_ in ids]


@native
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4), st.booleans(), st.sampled_from("pq")),
        max_size=20,
    )
)
def test_a_request_is_noted_whole_if_all_of_it_is_new_and_else_nothing_of_it(
    requests: list[tuple[list[str], bool, str]],
) -> None:
    recent = RecentIds(1_000, express.RECENT)  # type: ignore[arg-type]
    known: dict[str, str] = {}
    for names, acked, prefix in requests:
        packed = sent(batch(*[event(messageId=name) for name in names]), "batch").packed(
            arrived("product", "a"), HEADERS
        )
        flight = Flight(packed.ids(prefix))
        assert len(flight.ids) == len(names)
        assert set(flight.hashes) == {prefix + name for name in names}
        is_new = len(set(names)) == len(names) and known.keys().isdisjoint(flight.hashes)
        assert recent.begin_new(flight) == is_new
        if is_new:
            assert all(recent.twin(id_, hash_) == (True, flight) for id_, hash_ in flight.hashes.items())
            recent.end(flight, acked=acked)
            known |= flight.hashes if acked else {}
        assert {prefix + name for name in "abcdefgh" for prefix in "pq" if recent.twin(prefix + name, HASH)} == set(
            known
        )
        assert all(recent.twin(id_, hash_) == (True, None) for id_, hash_ in known.items())


@native
def test_a_twin_in_the_older_half_is_found_until_that_is_forgotten() -> None:
    recent = express.RECENT(10)  # type: ignore[misc]
    packed = sent(batch(event(messageId="b"), event(messageId="a")), "batch").packed(arrived("product", "a"), HEADERS)
    recent.keep({"pa": HASH})
    recent.turn()
    assert not recent.begin(packed.ids("p"))
    assert recent.of("pb") is None
    recent.turn()
    assert recent.begin(packed.ids("p"))
    assert recent.of("pb") is not None


@both
def test_what_is_in_flight_is_not_copied_at_every_turn_of_the_memory(halves: Any) -> None:
    recent = RecentIds(200, halves)
    held = [Flight({f"held-{number}-{each}": HASH for each in range(10)}) for number in range(9)]
    for flight in held:
        recent.begin(flight)
    kept = 0
    ids = recent._ids

    class Counting:
        """Counts how often what is held is noted."""

        def __getattr__(self, name: str) -> Any:
            return getattr(ids, name)

        def keep(self, ids_: dict[str, str]) -> None:
            nonlocal kept
            kept += len(ids_) == 10
            ids.keep(ids_)

    recent._ids = Counting()
    for number in range(1_000):
        flight = Flight({f"{number}": HASH})
        recent.begin(flight)
        recent.end(flight, acked=True)
        assert recent.twin(f"held-{number % 9}-{number % 10}", HASH), "forgotten in flight"
    assert 0 < kept <= 5 * len(held), "once in two halves of the memory at most"
