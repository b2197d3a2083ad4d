"""Earlier journeys that are still to be judged when their timers fire. A release before this one ignores them."""

from alembic import op

from jornada.db.schema import isolated

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("""create table scoring.pending (
        workspace uuid, subject uuid, journey_version bigint, journey bytea not null, until_at timestamptz not null,
        primary key (workspace, subject, journey_version))""")
    for statement in isolated("scoring", "pending"):
        op.execute(statement)
