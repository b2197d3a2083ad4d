"""Rules of a workspace's own; segments and personas: conditions by version, who is in them, the stays behind that."""

from alembic import op

from jornada.db.schema import isolated

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = [
    "alter table journey.workspaces add column version bigint not null default 0, add column own bytea",
    "alter table journey.subjects add column stays bytea",
    """create table journey.conditions (
        workspace uuid, role text, name text, version bigint, condition bytea, set_at timestamptz not null,
        primary key (workspace, role, name, version))""",
    """create table journey.memberships (
        workspace uuid, role text, name text, subject uuid, entered_at timestamptz not null,
        primary key (workspace, role, name, subject))""",
    "create index memberships_subject on journey.memberships (workspace, subject)",
]


def upgrade() -> None:
    for statement in [*_TABLES, *isolated("journey", "conditions"), *isolated("journey", "memberships")]:
        op.execute(statement)
