"""A workspace's own profiles, every version whole, and what people said of health. A release before ignores both."""

from alembic import op

from jornada.db.schema import isolated

revision = "0005"
down_revision = "0004"

_TABLES = {
    "profiles": """
        workspace uuid, name text, version int, document bytea, given bytea, since timestamptz not null,
        set_by uuid not null, primary key (workspace, name, version)""",
    "overrides": """
        workspace uuid, id uuid, subject uuid not null, score double precision, band text, author text not null,
        reason text not null, set_at timestamptz not null, until_at timestamptz not null, set_by uuid not null,
        ended_at timestamptz, ended_by uuid, primary key (workspace, id)""",
}


def upgrade() -> None:
    for table, columns in _TABLES.items():
        op.execute(f"create table scoring.{table} ({columns})")
        for statement in isolated("scoring", table):
            op.execute(statement)
    op.execute("create index overrides_subject on scoring.overrides (workspace, subject, set_at desc)")
    op.execute("""create unique index overrides_standing on scoring.overrides (workspace, subject)
        where ended_at is null""")
