"""What each source sends of each kind, by the hour in which it arrived, and a sketch of whose it is. Only an addition.

Nobody waits for another's row: a lane is the number of a partition, which one worker reads at a time.
"""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLE = """create table journey.volumes (
    workspace uuid, hour timestamptz, source text collate "C", kind text collate "C", lane int,
    touchpoints bigint not null, last_received_at timestamptz not null, customers bit(1024) not null,
    primary key (workspace, hour, source, kind, lane)) with (fillfactor = 75)"""


def upgrade() -> None:
    for statement in [
        _TABLE,
        *isolated("journey", "volumes"),
        *seen_by_clock("journey", "volumes", "workspace, hour"),
    ]:
        op.execute(statement)
