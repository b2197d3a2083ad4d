"""Rejections, and what a stream worker keeps."""

from alembic import op

from jornada.db.schema import isolated, roles, worker_tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in [*roles("ingest"), *worker_tables_v1("ingest")]:
        op.execute(statement)
    op.execute("""create table ingest.rejections (
        workspace uuid, id uuid, number bigint not null generated always as identity, source text not null,
        received_at timestamptz not null, code text not null, message text not null,
        message_id text, event text, payload text not null,
        primary key (workspace, id))""")
    op.execute("create unique index rejections_number on ingest.rejections (workspace, number)")
    for statement in isolated("ingest", "rejections"):
        op.execute(statement)
