"""What is published of subjects: their stored events, and of the erased that they are no more."""

from collections.abc import Mapping, Sequence

from jornada.bus.carrier import Record, Tombstone
from jornada.bus.publisher import Stored, Subject
from jornada.db import Connection
from jornada.events import JOURNEYS, Erased, SubjectId, WorkspaceId, encode, topic_key
from services.journey.store import erasures
from services.journey.store.subjects import by_workspace


class PostgresSnapshots:
    """The stored events of subjects, for the publisher."""

    async def stored(self, connection: Connection, subjects: Sequence[Subject]) -> Sequence[Stored]:
        """The newest event of each subject that has one; of the erased their end, and at last a tombstone."""
        found = []
        for workspace, ids in by_workspace(subjects).items():
            rows = await connection.fetch(
                "select id, version, snapshot from subjects"
                " where workspace = $1 and id = any($2) and snapshot is not null",
                workspace,
                ids,
            )
            found += [
                Stored(Subject(workspace, row["id"]), row["version"], _record(workspace, row["id"], row["snapshot"]))
                for row in rows
            ]
            found += await self._ends(connection, workspace, ids)
        return found

    async def versions(self, connection: Connection, subjects: Sequence[Subject]) -> Mapping[Subject, int]:
        """The newest version of each subject that has one."""
        found: dict[Subject, int] = {}
        for workspace, ids in by_workspace(subjects).items():
            rows = await connection.fetch(
                "select id, version from subjects where workspace = $1 and id = any($2) and snapshot is not null",
                workspace,
                ids,
            )
            found |= {Subject(workspace, row["id"]): row["version"] for row in rows}
            found |= {each.subject: each.version for each in await self._ends(connection, workspace, ids)}
        return found

    async def _ends(self, connection: Connection, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> list[Stored]:
        return [
            Stored(Subject(workspace, end.subject), end.version, _end(workspace, end))
            for end in await erasures.ends(connection, workspace, ids)
        ]


def _record(workspace: WorkspaceId, id_: SubjectId, value: bytes) -> Record:
    return Record(JOURNEYS.name, topic_key(workspace, id_), value)


def _end(workspace: WorkspaceId, end: erasures.End) -> Record | Tombstone:
    if end.forgotten:
        return Tombstone(JOURNEYS.name, topic_key(workspace, end.subject))
    erased = Erased(workspace=workspace, subject_type="customer", subject_id=end.subject, version=end.version)
    return _record(workspace, end.subject, encode(erased))
