"""A record may lack its value: it is then the last of its key, and goes in its turn."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("alter table bus.records alter column value drop not null")
