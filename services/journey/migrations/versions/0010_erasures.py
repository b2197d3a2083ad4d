"""Who was erased: receipts, the subjects that are no more with their last version, the names as keyed hashes.

Only additions. A release before this one drops nothing and publishes no end: none may run when the first is erased.
"""

from alembic import op

from jornada.db.schema import isolated

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = {
    "erasures": """
        workspace uuid, id uuid, subject uuid not null, erased_at timestamptz not null, asked_by uuid,
        block boolean not null, dropped bigint not null default 0, done_at timestamptz, primary key (workspace, id)""",
    "erased_subjects": """
        workspace uuid, subject uuid, erasure uuid not null, version bigint not null,
        forgotten boolean not null default false, primary key (workspace, subject)""",
    "erased_names": """
        workspace uuid, name text, erasure uuid not null, erased_at timestamptz not null, block boolean not null,
        primary key (workspace, name)""",
    "erasure_confirmations": """
        workspace uuid, erasure uuid, service text, at timestamptz not null,
        primary key (workspace, erasure, service)""",
}
_INDEXES = ("erased_subjects (workspace, erasure)", "erased_names (workspace, erasure)")


def upgrade() -> None:
    for table, columns in _TABLES.items():
        op.execute(f"create table journey.{table} ({columns})")
        for statement in isolated("journey", table):
            op.execute(statement)
    for index in _INDEXES:
        op.execute(f"create index on journey.{index}")
