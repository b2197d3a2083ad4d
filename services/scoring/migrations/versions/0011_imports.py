"""What an import brought, told once it is over, and when history of a subject was received last. Only additions."""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0011"
down_revision = "0010"

_IMPORTS = """workspace uuid, id uuid, began_at timestamptz not null, ended_at timestamptz,
    customers int not null default 0, accounts int not null default 0,
    bands jsonb not null default '{}', untold int not null default 0,
    primary key (workspace, id)"""


def upgrade() -> None:
    op.execute("alter table scoring.subjects add column past_at timestamptz")
    op.execute(f"create table scoring.imports ({_IMPORTS})")
    op.execute("create unique index imports_running on scoring.imports (workspace) where ended_at is null")
    for statement in [
        *isolated("scoring", "imports"),
        *seen_by_clock("scoring", "imports", "workspace, ended_at"),
        "grant select (past_at) on scoring.subjects to jornada_scoring_clock",
    ]:
        op.execute(statement)
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists scoring.subjects_past")
        op.execute("""create index concurrently subjects_past on scoring.subjects (past_at, workspace)
            where past_at is not null""")
