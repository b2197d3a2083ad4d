"""The journey before the last change by a point, and by which rules a score was made. Expands only."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("alter table scoring.subjects add column before bytea")
    op.execute("alter table scoring.history add column fold int not null default 1")
