"""What a workspace says of event names; the kind of a touchpoint is derived, and stored no longer.

A release before this one still writes `kind`, and reads it; it may go when none does.
"""

from alembic import op

from jornada.db.schema import isolated

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = [
    """create table journey.vocabulary (
        workspace uuid, name text collate "C", version bigint, kind text, use boolean, set_at timestamptz not null,
        set_by uuid not null, primary key (workspace, name, version))""",
    "alter table journey.subjects add column vocabulary bigint not null default 0",
    "alter table journey.touchpoints alter column kind drop not null",
]


def upgrade() -> None:
    for statement in [*_TABLES, *isolated("journey", "vocabulary")]:
        op.execute(statement)
