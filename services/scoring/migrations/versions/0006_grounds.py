"""By what a subject was scored beside its journey, so that those scored by something else are found. Only additions.

Everybody scored by a release before this one is scored once again in the background.
"""

from alembic import op

from jornada.db.schema import seen_by_clock

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("alter table scoring.subjects add column grounds text not null default ''")
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists scoring.subjects_grounds")
        op.execute("""create index concurrently subjects_grounds on scoring.subjects (workspace, grounds, id)
            where band is not null""")
    for statement in [
        *seen_by_clock("scoring", "subjects", "workspace, grounds, band"),
        *seen_by_clock("scoring", "connected", "workspace, component"),
        *seen_by_clock("scoring", "profiles", "workspace"),
    ]:
        op.execute(statement)
