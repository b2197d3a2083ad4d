"""The index of stages asks for nothing that every update changes, so that a state row is updated in place.

A column of an index's predicate counts as indexed. `snapshot`, which changes with every fold, was in one; a subject has
a stage exactly where it has a snapshot and is nobody else.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists journey.subjects_by_stage")
        op.execute("""create index concurrently subjects_by_stage on journey.subjects (workspace, type, stage, id)
            where stage is not null""")
        # A release before this one lists by the primary key meanwhile. While both stood nothing would be in place.
        op.execute("drop index concurrently if exists journey.subjects_stage")
