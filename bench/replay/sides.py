"""`python -m bench.replay.sides ours|loop|fill URL WORKSPACE …`: one side's work, its figures as JSON at the end."""

import asyncio
import hashlib
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, cast
from uuid import UUID

import msgspec

from bench.replay.lives import lives
from jornada.bus.carrier import Bus, Received, Record
from jornada.bus.publisher import Publisher
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import TOUCHPOINTS, Touchpoint, WorkspaceId, decode, encode, new_id, topic_key
from jornada.pseudonyms import Pseudonyms
from services.journey.domain import folding
from services.journey.domain.reading import read
from services.journey.store import replays
from services.journey.store.snapshots import PostgresSnapshots
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.refolding import Refolder
from services.journey.worker.replaying import Replayer

_BATCH = 2_000


class Nowhere:
    """A stream that takes everything."""

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        """Forgets the records."""


async def fill(database: Database, workspace: WorkspaceId, customers: str) -> dict[str, Any]:
    """Folds lives as the worker does."""
    clock, publisher = SystemClock(), Publisher(database, cast(Bus, Nowhere()), PostgresSnapshots())
    folding_, refolder = TouchpointFold(publisher, Pseudonyms(b"bench"), clock), Refolder(database, publisher, clock)
    told = lives(workspace, int(customers))
    while batch := list(islice(told, _BATCH)):
        records = [
            Received(TOUCHPOINTS.name, 0, 0, topic_key(workspace, ""), encode(each), (), each.received_at)
            for each in batch
        ]
        async with database.transaction([workspace]) as connection:
            await folding_(connection, records)
    while await refolder.work():
        pass
    await publisher.sweep()
    return {}


async def ours(database: Database, workspace: WorkspaceId) -> dict[str, Any]:
    """A replay from its beginning to its end."""
    clock, id_ = SystemClock(), new_id()
    async with database.transaction([workspace]) as connection:
        await replays.begin(connection, workspace, id_, clock.now(), new_id())
    replayer = Replayer(database, Publisher(database, cast(Bus, Nowhere()), PostgresSnapshots()), clock)
    while await replayer.work():
        pass
    async with database.transaction([workspace]) as connection:
        done = await replays.one(connection, workspace, id_)
    assert done is not None
    assert done.status == "done"
    return {**done.counts._asdict(), "hash": await _hash(database, workspace)}


async def loop(database: Database, workspace: WorkspaceId) -> dict[str, Any]:
    """Reads the same rows in the order of their owners, folds each owner's once and encodes the state: no more."""
    after, read_, states, digest = UUID(int=0), 0, 0, hashlib.sha256()
    while True:
        async with database.transaction([workspace]) as connection:
            owners = await connection.fetch(
                """select id from identifiers where workspace = $1 and id > $2 order by id limit 250""",
                workspace,
                after,
            )
            rows = await connection.fetch(
                "select owner, record from touchpoints where workspace = $1 and owner = any($2)",
                workspace,
                [row["id"] for row in owners],
            )
        if not owners:
            return {"touchpoints": read_, "states": states, "hash": digest.hexdigest()}
        theirs: dict[UUID, list[bytes]] = {}
        for row in rows:
            theirs.setdefault(row["owner"], []).append(row["record"])
        for _, records in sorted(theirs.items()):
            state = folding.fold(read(decode(record, Touchpoint)) for record in records)
            digest.update(encode(state))
        after, read_, states = owners[-1]["id"], read_ + len(rows), states + len(theirs)


async def _hash(database: Database, workspace: WorkspaceId) -> str:
    """The hash of every state and snapshot stored, by id."""
    digest, after = hashlib.sha256(), UUID(int=0)
    while True:
        async with database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                "select id, state, snapshot from subjects where workspace = $1 and id > $2 order by id limit 1000",
                workspace,
                after,
            )
        if not rows:
            return digest.hexdigest()
        for row in rows:
            digest.update(row["state"] + (row["snapshot"] or b""))
        after = rows[-1]["id"]


async def main(side: str, url: str, workspace: str, *given: str) -> None:
    """Does a side's work and prints its figures."""
    database = Database(url, "journey", statement_timeout=300)
    began, before = time.monotonic(), time.process_time()
    sides: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {"fill": fill, "ours": ours, "loop": loop}
    figures = await sides[side](database, WorkspaceId(UUID(workspace)), *given)
    figures |= {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    await database.stop()
    sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
