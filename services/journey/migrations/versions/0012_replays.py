"""Replays: one row each, with how far it is and what it found. Only an addition."""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = [
    """create table journey.replays (
        workspace uuid, id uuid, asked_at timestamptz not null, asked_by uuid not null, ended_at timestamptz,
        status text not null default 'running', error text,
        step text not null, place text[], subjects bigint not null,
        touchpoints bigint not null default 0, compared bigint not null default 0, equal bigint not null default 0,
        mended bigint not null default 0, changed bigint not null default 0,
        primary key (workspace, id))""",
    "create unique index replays_running on journey.replays (workspace) where status = 'running'",
]


def upgrade() -> None:
    for statement in [
        *_TABLES,
        *isolated("journey", "replays"),
        *seen_by_clock("journey", "replays", "workspace, id, status"),
    ]:
        op.execute(statement)
