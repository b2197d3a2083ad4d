"""The segments that a subject is in, for lists. Filled as subjects are scored; a release before leaves it empty."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("alter table scoring.subjects add column segments jsonb not null default '[]'")
