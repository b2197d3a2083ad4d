"""What people count for in their accounts, added up by account, and the changes not yet added. Only additions.

They stay when subjects are made again. Dropped together, all three are made again from the journeys, accounts being
scored by whoever is counted so far.
"""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0008"
down_revision = "0007"

_TABLES = {
    "account_people": """
        workspace uuid, person uuid, account uuid not null, band text not null, champion boolean not null,
        silent_since timestamptz, at timestamptz not null, primary key (workspace, person)""",
    "account_counts": """
        workspace uuid, account uuid, counts bytea not null, at timestamptz, live_at timestamptz,
        primary key (workspace, account)""",
    "account_changes": """
        workspace uuid not null, account uuid not null, at timestamptz not null, band text not null,
        champion boolean not null, silent_since timestamptz, number int not null, told boolean not null""",
}


def upgrade() -> None:
    for table, columns in _TABLES.items():
        op.execute(f"create table scoring.{table} ({columns})")
        for statement in isolated("scoring", table):
            op.execute(statement)
    op.execute("create index account_changes_account on scoring.account_changes (workspace, account, at)")
    for statement in seen_by_clock("scoring", "account_changes", "workspace, account, at"):
        op.execute(statement)
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists scoring.subjects_account")
        op.execute("""create index concurrently subjects_account on scoring.subjects (workspace, account)
            where account is not null and band is not null""")
