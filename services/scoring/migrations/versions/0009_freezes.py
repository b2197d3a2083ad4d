"""Freezes, kept for ever as facts, and until when volumes are known. A release before ignores both.

Everybody scored by a release before this one is scored once again in the background.
"""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0009"
down_revision = "0008"

_TABLES = {
    "freezes": """
        workspace uuid, id uuid not null, source text, kind text, components text[] not null,
        began_at timestamptz, last_seen_at timestamptz not null, week int[] not null, customers int not null,
        recorded_at timestamptz not null, ended_at timestamptz, end_recorded_at timestamptz, ended_because text,
        ended_by uuid, primary key (workspace, source, kind, began_at), unique (workspace, id)""",
    "watched": """
        workspace uuid primary key, until timestamptz not null, withheld_from timestamptz""",
}


def upgrade() -> None:
    for table, columns in _TABLES.items():
        op.execute(f"create table scoring.{table} ({columns})")
        for statement in isolated("scoring", table):
            op.execute(statement)
    op.execute("""create unique index freezes_standing on scoring.freezes (workspace, source, kind)
        where ended_at is null""")
    for statement in [
        *seen_by_clock("scoring", "freezes", "workspace, components, ended_at"),
        *seen_by_clock("scoring", "watched", "workspace"),
    ]:
        op.execute(statement)
