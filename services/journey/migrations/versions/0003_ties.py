"""A device's facts tell their source: two may say something at one instant under one message id."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""create or replace view journey.device_facts with (security_invoker = true) as
        select workspace, device as anonymous_id, user_id, occurred_at, message_id, source from journey.touchpoints
        where device is not null and user_id is not null
        union all
        select workspace, previous_id, user_id, occurred_at, message_id, source collate "C" from journey.aliases""")
