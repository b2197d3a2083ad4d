"""Shares of accounts' people added up by bucket; whose share changed since, noted as it is written.

Only additions. The note is a trigger's: a release before this one writes shares too, and knows nothing of buckets.
"""

from alembic import op

from jornada.db.schema import isolated

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = {
    "account_buckets": """
        workspace uuid, account uuid, place text collate "C", fold int not null, vocabulary bigint not null,
        classes text[] not null, bucket bytea not null, primary key (workspace, account, place)""",
    "account_changes": """
        workspace uuid, account uuid, sequence bigint generated always as identity, customer uuid not null,
        primary key (workspace, account, sequence)""",
}

_NOTE = """create function journey.note_shares() returns trigger language plpgsql as $$
begin
    insert into journey.account_changes (workspace, account, customer)
    select workspace, account, customer from changed;
    return null;
end $$"""

_WRITES = {"insert": "new", "update": "new", "delete": "old"}


def upgrade() -> None:
    for table, columns in _TABLES.items():
        op.execute(f"create table journey.{table} ({columns})")
        for statement in isolated("journey", table):
            op.execute(statement)
    op.execute(_NOTE)
    for write, rows in _WRITES.items():
        op.execute(
            f"create trigger note_{write} after {write} on journey.account_shares"
            f" referencing {rows} table as changed for each statement execute function journey.note_shares()"
        )
