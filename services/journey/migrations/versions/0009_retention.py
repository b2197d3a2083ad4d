"""For how long a workspace keeps touchpoints, who said so and when, and up to which instant they are gone.

The index of devices by user goes: the one that also knows since when, which both releases can use, begins alike.
"""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLE = """create table journey.retention (
    workspace uuid primary key, days int, set_at timestamptz not null, set_by uuid not null,
    passed_until timestamptz)"""


def upgrade() -> None:
    for statement in [
        _TABLE,
        *isolated("journey", "retention"),
        *seen_by_clock("journey", "retention", "workspace, days, passed_until"),
    ]:
        op.execute(statement)
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists journey.device_users_user")
