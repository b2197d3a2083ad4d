"""From when on an account that is to be told anew has anything new. Only additions.

What a release before this one asks for says nothing of it: then it is not known.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("alter table journey.refolds add column new_from timestamptz")
