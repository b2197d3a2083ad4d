"""What is held of a subject that was erased, removed: alerts and their deliveries, decisions, messages, its address."""

from collections.abc import Sequence

from jornada.db import Connection
from jornada.events import Erased, SubjectId, WorkspaceId, decode, topic_key
from services.notify.domain.customers import Customer, address_of

_DELETED = (
    """delete from deliveries using alerts
       where deliveries.workspace = $1 and alerts.workspace = $1 and alerts.id = deliveries.alert
         and alerts.subject = any($2)""",
    "delete from alerts where workspace = $1 and subject = any($2)",
    "delete from decisions where workspace = $1 and subject = any($2)",
)


async def forget(connection: Connection, ends: Sequence[Erased]) -> None:
    """Removes all but the versions, to be told afterwards, under the lock of the subjects' rows."""
    for workspace in sorted({each.workspace for each in ends}):
        await _forget(connection, workspace, [each.subject_id for each in ends if each.workspace == workspace])


async def _forget(connection: Connection, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> None:
    rows = await connection.fetch(
        """select customer from journeys where workspace = $1 and subject = any($2) and customer is not null
           order by subject for update""",
        workspace,
        ids,
    )
    for statement in _DELETED:
        await connection.execute(statement, workspace, ids)
    customers: list[Customer] = [decode(row["customer"], Customer) for row in rows]
    addresses = [address.lower() for each in customers if (address := address_of(each)) is not None]
    addresses += [name.value for each in customers for name in each.identifiers if name.type == "email"]
    await connection.execute(
        "delete from suppressions where workspace = $1 and address = any($2)", workspace, addresses
    )
    keys = [topic_key(workspace, id_) for id_ in ids]
    keys += [topic_key(workspace, name.value) for each in customers for name in each.identifiers]
    for table in ("outbox", "dead_letters"):
        await connection.execute(
            f"delete from {table} where workspace = $1 and key = any($2)",  # noqa: S608 - our own tables
            workspace,
            keys,
        )
