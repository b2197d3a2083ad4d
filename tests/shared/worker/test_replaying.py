"""Dead letters folded again: one or all, wherever the process dies on the way, as if nothing had ever failed."""

import pytest

from jornada import crashpoints
from jornada.bus import replaying
from jornada.bus.replaying import Round, replay_round
from jornada.bus.worker import Outdated, Worker
from jornada.db import Database, Unavailable
from jornada.events import topic_key
from tests.shared.worker.letters import Toy
from tests.shared.worker.toy import WORKSPACE, subject


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def toy(database: Database) -> Toy:
    return Toy(database)


@pytest.mark.parametrize("point", crashpoints.CRASHPOINTS)
async def test_a_replay_that_dies_anywhere_and_is_repeated_equals_no_failure(
    toy: Toy, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await toy.failed("ana")
    (line,) = await toy.letters.page(WORKSPACE, 10, None)
    letter = await toy.letters.one(WORKSPACE, line.id)
    assert letter is not None

    def reached(now: str) -> None:
        if now == point:
            raise Killed

    monkeypatch.setattr(crashpoints, "reached", reached)
    with pytest.raises(Killed):
        await worker.replay(letter)
    monkeypatch.undo()
    if await toy.waiting() == 0:
        await toy.swept()
        assert [record.value for record in toy.script.published][-1:] == [b"1"], "nobody else would publish it"
    for _ in range(2):
        await toy.worker().replay(letter)
    assert await toy.counted() == {subject("ana").id: 1}
    assert toy.script.published[-1].value == b"1"
    assert await toy.waiting() == 0


async def all_replayed(toy: Toy, worker: Worker, most: int = 3) -> list[Round]:
    """Goes on from round to round as an operator does."""
    rounds = [await replay_round(worker, toy.letters, WORKSPACE, most, None)]
    while rounds[-1].next is not None:
        rounds.append(await replay_round(worker, toy.letters, WORKSPACE, most, rounds[-1].next))
    return rounds


async def test_all_are_replayed_in_bounded_rounds_and_what_fails_again_stops_nobody_else(toy: Toy) -> None:
    worker = await toy.failed("ana", "poison-1", "bia", "caio", "poison-2", "dora", "eva")
    rounds = await all_replayed(toy, worker)
    assert [(each.replayed, len(each.failed), each.waiting) for each in rounds] == [(2, 1, 5), (2, 1, 3), (1, 0, 2)]
    assert {why for each in rounds for _, why in each.failed} == {"ValueError"}
    names = ("ana", "bia", "caio", "dora", "eva")
    assert await toy.counted() == {subject(name).id: 1 for name in names}
    assert toy.counts.folded == [name.encode() for name in names], "the oldest first"


async def test_replaying_all_twice_changes_nothing(toy: Toy) -> None:
    worker = await toy.failed("ana", "bia")
    await all_replayed(toy, worker)
    counted, published = await toy.counted(), len(toy.script.published)
    assert await all_replayed(toy, worker) == [Round(0, [], 0, None)]
    assert (await toy.counted(), len(toy.script.published)) == (counted, published)


@pytest.mark.parametrize("point", crashpoints.CRASHPOINTS)
async def test_replaying_all_goes_on_after_a_death_where_it_was(
    toy: Toy, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("ana", "bia", "caio", "dora")
    worker = await toy.failed(*names)
    left = [1]

    def reached(now: str) -> None:
        if now == point:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    monkeypatch.setattr(crashpoints, "reached", reached)
    with pytest.raises(Killed):
        await all_replayed(toy, worker)
    monkeypatch.undo()
    await toy.swept()
    before = await toy.waiting()
    rounds = await all_replayed(toy, toy.worker())
    assert sum(each.replayed for each in rounds) == before < len(names)
    assert await toy.counted() == {subject(name).id: 1 for name in names}
    assert {record.key for record in toy.script.published} == {topic_key(WORKSPACE, subject(name).id) for name in names}


async def test_a_passing_fault_ends_the_round_and_the_next_one_goes_on(toy: Toy) -> None:
    worker = await toy.failed("ana", "bia", "caio")
    toy.counts.failing[b"bia"] = [Unavailable("gone")]
    first = await replay_round(worker, toy.letters, WORKSPACE, 10, None)
    assert (first.replayed, first.failed, first.waiting) == (1, [], 2)
    assert first.next is not None
    toy.counts.failing[b"bia"] = [Unavailable("gone")]
    with pytest.raises(Unavailable):
        await replay_round(worker, toy.letters, WORKSPACE, 10, first.next)
    assert (await replay_round(worker, toy.letters, WORKSPACE, 10, first.next)).waiting == 0


async def test_a_round_ends_when_its_time_is_over(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await toy.failed("ana", "bia", "caio")
    monkeypatch.setattr(replaying, "ROUND_SECONDS", 0.0)
    rounds = await all_replayed(toy, worker)
    assert [(each.replayed, each.waiting) for each in rounds] == [(1, 2), (1, 1), (1, 0)]


async def test_what_a_newer_release_stored_is_no_letters_fault(toy: Toy) -> None:
    worker = await toy.failed("ana", "bia")
    toy.counts.failing[b"ana"] = [Outdated("a newer fold")]
    with pytest.raises(Outdated):
        await replay_round(worker, toy.letters, WORKSPACE, 10, None)
    assert await toy.waiting() == 2


async def test_a_page_begins_where_the_last_one_ended_and_shows_nothing_held(toy: Toy) -> None:
    await toy.failed("ana", "bia", "caio")
    first = await toy.letters.page(WORKSPACE, 2, None)
    rest = await toy.letters.page(WORKSPACE, 2, first[-1].place)
    assert [line.offset for line in (*first, *rest)] == [0, 1, 2]
    assert not {"record", "value", "key", "error"} & set(first[0]._fields)
