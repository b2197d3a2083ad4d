"""Subjects by fold, so that those of an older one are found; the clock sees which workspaces have any.

Merged subjects keep the fold in which they ended. A release before this one is served as it was.
"""

from alembic import op

from jornada.db.schema import seen_by_clock

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists journey.subjects_by_fold")
        op.execute("""create index concurrently subjects_by_fold on journey.subjects (workspace, fold, id)
            where merged_into is null""")
    for statement in [
        *seen_by_clock("journey", "workspaces", "workspace"),
        *seen_by_clock("journey", "subjects", "workspace, fold, merged_into"),
    ]:
        op.execute(statement)
