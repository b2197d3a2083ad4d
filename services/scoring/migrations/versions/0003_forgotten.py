"""Of an erased subject, whether every service knows, so that the topic may forget it. A release before ignores it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("alter table scoring.subjects add column forgotten boolean not null default false")
