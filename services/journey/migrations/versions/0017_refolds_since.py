"""Since when what is asked for has waited, and the order in which it is told. Only additions.

What a release before this one asks for says nothing of it, and holds nobody's timers, as before.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table journey.refolds add column since timestamptz")
    op.execute("create index refolds_order on journey.refolds (since, sequence)")
    op.execute("grant select (since) on journey.refolds to jornada_journey_clock")
