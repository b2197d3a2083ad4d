"""The worker's laws: nothing lost, nothing doubled, poison set aside, passing faults waited out, the newest last."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import cast

import pytest

from jornada.bus.carrier import Assigned, LogTruncated, Partition, Received
from jornada.bus.dead_letters import DeadLetters, Limit, TooManyDeadLetters
from jornada.bus.offsets import SEQUENCE_BITS
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.worker import LOOK_BACK_SECONDS, Fold, Worker
from jornada.clock import SetClock
from jornada.db import Conflict, Connection, Database, Unavailable
from tests.shared.worker.toy import AT, TOPIC, WORKSPACE, Counts, Finished, Script, received, subject

P0 = Partition(TOPIC, 0)


def worker_on(
    script: Script, database: Database, counts: Counts, limit: Limit | None = None, fold: Fold | None = None
) -> Worker:
    publisher = Publisher(database, script, counts)
    return Worker(
        "toy",
        [TOPIC],
        bus=script,
        database=database,
        publisher=publisher,
        fold=fold or counts.fold,
        clock=SetClock(AT),
        limit=limit,
    )


async def ran(script: Script, database: Database, counts: Counts) -> Worker:
    worker = worker_on(script, database, counts)
    with pytest.raises(Finished):
        await worker.run()
    return worker


async def counted(database: Database) -> dict[object, int]:
    async with database.transaction([WORKSPACE]) as connection:
        return {row["subject"]: row["count"] for row in await connection.fetch("select subject, count from counts")}


async def test_a_batch_is_folded_published_and_acknowledged(database: Database) -> None:
    script = Script([received(0, "ana"), received(1, "bia"), received(2, "ana")])
    await ran(script, database, Counts())
    assert await counted(database) == {subject("ana").id: 2, subject("bia").id: 1}
    assert sorted(record.value for record in script.published) == [b"1", b"2"]
    assert script.commits == [{P0: 3}]


async def test_a_batch_read_twice_counts_once_and_is_published_again(database: Database) -> None:
    batch = [received(0, "ana"), received(1, "ana")]
    script = Script(batch, batch)
    await ran(script, database, Counts())
    assert await counted(database) == {subject("ana").id: 2}
    assert [record.value for record in script.published] == [b"2", b"2"]


async def test_a_poison_record_is_set_aside_once_and_the_rest_goes_on(database: Database) -> None:
    batch = [received(offset, "poison" if offset == 5 else "ana") for offset in range(9)]
    script = Script(batch, batch)
    await ran(script, database, Counts())
    assert await counted(database) == {subject("ana").id: 8}
    letters = await DeadLetters(database).page(WORKSPACE, 10, None)
    assert [(letter.offset, letter.reason) for letter in letters] == [(5, "ValueError")]
    assert script.commits[-1] == {P0: 9}


async def test_tombstones_are_passed_over_and_acknowledged(database: Database) -> None:
    nobodys = Received(TOPIC, 0, 1, b"heartbeat/7", None, (), AT)
    someones = received(2, "bia")._replace(value=None)
    counts = Counts()
    script = Script([received(0, "ana"), nobodys, someones], [nobodys._replace(offset=3)])
    await ran(script, database, counts)
    assert counts.folded == [b"ana"]
    assert script.commits == [{P0: 3}, {P0: 4}]
    assert await DeadLetters(database).page(WORKSPACE, 10, None) == []


async def test_records_keep_their_order_when_a_batch_is_halved(database: Database) -> None:
    counts = Counts()
    names = [f"n{number}" for number in range(8)]
    script = Script([received(offset, name) for offset, name in enumerate([*names[:3], "poison", *names[3:]])])
    await ran(script, database, counts)
    assert counts.folded == [name.encode() for name in names]


async def test_a_passing_fault_is_waited_out_and_never_dead_letters(database: Database) -> None:
    counts = Counts()
    counts.failing[b"ana"] = [Unavailable("gone"), Conflict("met"), Unavailable("gone")]
    script = Script([received(0, "ana")])
    script.down = 2
    await ran(script, database, counts)
    assert await counted(database) == {subject("ana").id: 1}
    assert await DeadLetters(database).page(WORKSPACE, 10, None) == []


async def test_a_record_that_fails_twice_and_then_works_is_no_dead_letter(database: Database) -> None:
    counts = Counts()
    counts.failing[b"ana"] = [ValueError("a"), ValueError("b")]
    await ran(Script([received(0, "ana")]), database, counts)
    assert await counted(database) == {subject("ana").id: 1}


async def test_a_run_of_poison_stops_the_worker(database: Database) -> None:
    script = Script([received(offset, "poison") for offset in range(40)])
    with pytest.raises(TooManyDeadLetters):
        await worker_on(script, database, Counts(), limit=Limit(run=20)).run()
    assert script.commits == []


async def test_a_share_of_poison_stops_the_worker(database: Database) -> None:
    batch = [received(offset, "poison" if offset % 3 == 0 else "ana") for offset in range(90)]
    with pytest.raises(TooManyDeadLetters):
        await worker_on(Script(batch), database, Counts(), limit=Limit(share=0.1, least=10)).run()


async def test_a_refused_commit_reads_the_batch_again_where_it_is_still_ours(database: Database) -> None:
    script = Script([received(7, "ana"), received(8, "ana")])
    script.keep_commits = False
    await ran(script, database, Counts())
    assert script.sought == [(P0, 7)]


async def test_a_snapshot_that_grows_while_it_is_sent_is_sent_again_last(database: Database) -> None:
    counts = Counts()
    script = Script()
    publisher = Publisher(database, script, counts)
    async with database.transaction([WORKSPACE]) as connection:
        await counts.raise_count(connection, subject("ana"))
    publish = script.publish

    async def slow(records: list[object], deadline: float = 8.5) -> None:
        await publish(records, deadline)  # type: ignore[arg-type]
        if len(script.published) == 1:
            async with database.transaction([WORKSPACE]) as connection:
                await counts.raise_count(connection, subject("ana"))

    script.publish = slow  # type: ignore[method-assign, assignment]
    await publisher.publish([subject("ana")])
    assert [record.value for record in script.published] == [b"1", b"2"]


async def test_what_no_record_repeats_is_swept_onto_the_stream_after_a_crash(database: Database) -> None:
    counts = Counts()
    script = Script()
    publisher = Publisher(database, script, counts)
    async with database.transaction([WORKSPACE]) as connection:
        version = await counts.raise_count(connection, subject("ana"))
        await publisher.mark(connection, {subject("ana"): version})
        await _aged(connection)
    await publisher.sweep()
    assert [record.value for record in script.published] == [b"1"]
    await publisher.sweep()
    assert len(script.published) == 1


async def test_what_a_batch_marks_has_waited_since_its_earliest_record_was_appended(database: Database) -> None:
    counts, script = (
        Counts(),
        Script([received(1, "bia")._replace(appended_at=AT + timedelta(hours=1)), received(2, "ana")]),
    )
    publisher = Publisher(database, script, counts)

    async def fold(connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        named = await counts.fold(connection, records)
        await publisher.mark_stored(connection, [subject("caio"), *named])
        return [subject("caio")]

    with suppress(Finished):
        await worker_on(script, database, counts, fold=fold).run()
    async with database.transaction([WORKSPACE]) as connection:
        rows = await connection.fetch("select since from unpublished")
    assert [row["since"] for row in rows] == [AT, AT]


async def _aged(connection: Connection) -> None:
    await connection.execute("update unpublished set since = since - interval '1 minute'")


async def test_a_database_that_went_back_is_fed_again_under_a_new_epoch(database: Database) -> None:
    script = Script([received(3, "ana")], known=Assigned(committed=9, beginning=0, end=9))
    await ran(script, database, Counts())
    assert script.starts == {P0: 0}
    async with database.transaction([WORKSPACE]) as connection:
        assert await connection.fetchval("select version >> $1 from counts", SEQUENCE_BITS) > 0


async def test_what_is_fed_again_is_published_though_the_process_dies_before_it_is(database: Database) -> None:
    batch = [received(0, "ana")]
    crashed = Script(batch, known=Assigned(committed=1, beginning=0, end=1))
    crashed.down = 1_000_000
    running = asyncio.create_task(worker_on(crashed, database, Counts()).run())
    while not await counted(database):  # noqa: ASYNC110 - the database tells nobody
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    committed = [1, *(each[P0] for each in crashed.commits)][-1]
    script = Script(batch, known=Assigned(committed, beginning=0, end=1))
    await ran(script, database, Counts())
    assert script.starts == {P0: 0}
    assert len(script.published) == 1


async def test_nothing_is_fed_again_before_the_group_stands_where_it_begins(database: Database) -> None:
    script = Script([received(3, "ana")], known=Assigned(committed=9, beginning=0, end=9))
    script.keep_commits = False
    await ran(script, database, Counts())
    assert await counted(database) == {}
    assert script.sought == [(P0, 3)]


async def test_a_first_start_reads_from_the_beginning_without_a_new_epoch(database: Database) -> None:
    script = Script([received(3, "ana")], known=Assigned(committed=None, beginning=2, end=9))
    await ran(script, database, Counts())
    assert script.starts == {P0: 2}
    async with database.transaction([WORKSPACE]) as connection:
        assert await connection.fetchval("select version >> $1 from counts", SEQUENCE_BITS) == 0


async def test_a_position_in_one_carriers_log_is_none_in_anothers(database: Database) -> None:
    """Tried on the embedded stream first and on Kafka later, with the same Postgres."""
    first = Script([received(7, "ana"), received(8, "poison")])
    await ran(first, database, Counts())
    other = Script([received(7, "bia"), received(8, "poison")], known=Assigned(committed=None, beginning=0, end=3))
    other.carrier = "another"
    await ran(other, database, Counts())
    assert other.starts == {P0: 0}
    assert len(await DeadLetters(database).page(WORKSPACE, 10, None)) == 2
    again = Script(known=Assigned(committed=9, beginning=0, end=9))
    await ran(again, database, Counts())
    assert again.starts == {P0: 9}


async def test_a_gap_beyond_the_logs_memory_is_said_and_not_skipped(database: Database) -> None:
    await ran(Script([received(3, "ana")]), database, Counts())
    script = Script(known=Assigned(committed=4, beginning=50, end=60))
    with pytest.raises(LogTruncated, match="toy/0: 4 is gone"):
        await worker_on(script, database, Counts()).run()


async def test_a_worker_that_skips_gaps_goes_on_with_what_the_log_still_holds(database: Database) -> None:
    await ran(Script([received(3, "ana")]), database, Counts())
    script = Script([received(50, "bia")], known=Assigned(committed=4, beginning=50, end=60))
    with pytest.raises(Finished):
        await worker_on(script, database, Counts(), Limit(skips_gaps=True)).run()
    assert script.starts == {P0: 50}
    assert subject("bia").id in await counted(database)


async def test_a_gap_that_opens_while_it_reads_is_skipped_too(database: Database) -> None:
    script = Script([received(50, "bia")], known=Assigned(committed=None, beginning=50, end=60))
    script.gaps = 1
    with pytest.raises(Finished):
        await worker_on(script, database, Counts(), Limit(skips_gaps=True)).run()
    assert subject("bia").id in await counted(database)


@pytest.mark.parametrize("idle", [False, True])
async def test_a_database_that_is_put_back_while_the_worker_runs_is_fed_again(database: Database, idle: bool) -> None:
    early = [received(0, "ana"), received(1, "ana")]
    late: list[Received] = [] if idle else [received(2, "bia")]
    script = Script(early, late, [*early, *late])
    counts = Counts()
    worker = worker_on(script, database, counts)

    async def put_back() -> None:
        async with database.transaction([WORKSPACE]) as connection:
            for table in ("offsets", "counts", "seen"):
                await connection.execute(f"delete from {table}")
        script.known = Assigned(2, 0, 1_000_000)
        cast(SetClock, worker._clock).seconds += LOOK_BACK_SECONDS

    script.meanwhile[1] = put_back
    with pytest.raises(Finished):
        await worker.run()
    assert await counted(database) == {subject("ana").id: 2} | ({} if idle else {subject("bia").id: 1})
    async with database.transaction() as connection:
        assert await connection.fetchval("select value from epoch") > 0
    assert script.starts == {P0: 0}


async def test_what_was_stored_and_never_acknowledged_is_published_again(database: Database) -> None:
    counts = Counts()
    batch = [received(0, "ana"), received(1, "bia")]
    crashed = Script(batch)
    crashed.down = 1_000_000
    worker = worker_on(crashed, database, counts)
    running = asyncio.create_task(worker.run())
    while len(await counted(database)) < 2:  # noqa: ASYNC110 - the database tells nobody
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    script = Script(batch, known=Assigned(None, 0, 2))
    await ran(script, database, counts)
    assert script.starts == {P0: 0}
    assert len(script.published) == 2
    assert await counted(database) == {subject("ana").id: 1, subject("bia").id: 1}
