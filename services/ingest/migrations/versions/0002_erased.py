"""Under which names somebody was erased, so that nothing refused of theirs is kept. A release before ignores it."""

from alembic import op

from jornada.db.schema import isolated

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""create table ingest.erased_names (
        workspace uuid, name text, erased_at timestamptz not null, block boolean not null,
        primary key (workspace, name))""")
    for statement in isolated("ingest", "erased_names"):
        op.execute(statement)
