"""A workspace's own milestones: labels, how long each customer took; and when conditions of stages were true.

Only additions. A release before this one takes a milestone for a segment and knows no such condition; what it told is
of an older fold, and told again.
"""

from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table journey.conditions add column label text")
    op.execute("alter table journey.memberships add column waited bigint")
    op.execute("alter table journey.subjects add column truths bytea")
