"""Dead letters folded again: one or all, wherever the process dies on the way, as if nothing had ever failed."""

import pytest

from jornada import crashpoints
from jornada.bus.dead_letters import DeadLetters
from jornada.bus.publisher import Publisher
from jornada.bus.worker import Worker
from jornada.clock import SetClock
from jornada.db import Connection, Database
from tests.shared.worker.toy import AT, TOPIC, WORKSPACE, Counts, Finished, Script, received, subject


class Killed(BaseException):
    """The process is gone."""


class Toy:
    """The toy service, and what its operator holds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.script = Script()
        self.counts = Counts()
        self.letters = DeadLetters(database)

    def worker(self) -> Worker:
        """A new process's."""
        publisher = Publisher(self.database, self.script, self.counts)
        return Worker(
            "toy",
            [TOPIC],
            bus=self.script,
            database=self.database,
            publisher=publisher,
            fold=self.counts.fold,
            clock=SetClock(AT),
        )

    async def failed(self, *names: str) -> Worker:
        """Has one record of each name dead-lettered, that would work now."""
        for name in names:
            self.counts.failing[name.encode()] = [ValueError("a bug")] * 100
        self.script.batches = [[received(offset, name) for offset, name in enumerate(names)]]
        worker = self.worker()
        with pytest.raises(Finished):
            await worker.run()
        self.counts.failing.clear()
        return worker

    async def counted(self) -> dict[object, int]:
        async with self.database.transaction([WORKSPACE]) as connection:
            return {row["subject"]: row["count"] for row in await connection.fetch("select subject, count from counts")}

    async def swept(self) -> None:
        """What a process does soon after its start."""
        async with self.database.transaction([WORKSPACE]) as connection:
            await _aged(connection)
        await Publisher(self.database, self.script, self.counts).sweep()

    async def waiting(self) -> int:
        return sum(line.replayed_at is None for line in await self.letters.page(WORKSPACE, 1_000, None))


@pytest.fixture
def toy(database: Database) -> Toy:
    return Toy(database)


async def _aged(connection: Connection) -> None:
    await connection.execute("update unpublished set since = since - interval '1 minute'")


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
