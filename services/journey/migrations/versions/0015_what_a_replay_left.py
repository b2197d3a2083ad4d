"""What a replay left as it was, because it took too long. Only an addition."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table journey.replays add column failed bytea not null default '[]'")
