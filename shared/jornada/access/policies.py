"""DDL of the access schema. Migrations call these; a change is a new function, never an edit."""

from jornada.db.schema import WORKSPACES, named_roles

WRITER = "jornada_access"
READER = "jornada_access_reader"


def roles() -> list[str]:
    """The writer (CLI and ingest), and the reader that looks up hashes over all workspaces and nothing else."""
    return named_roles("access", WRITER, READER)


def own_rows(table: str, column: str) -> list[str]:
    """The writer's rights on a table, and the policy that `column` is one of the transaction's workspaces."""
    theirs = WORKSPACES.replace("workspace =", f"{column} =", 1)
    return [
        f"alter table access.{table} enable row level security",
        f"alter table access.{table} force row level security",
        f"create policy workspaces on access.{table} to {WRITER} using ({theirs})",
        f"grant select, insert, update, delete on access.{table} to {WRITER}",
    ]


def reader(table: str, columns: str) -> list[str]:
    """Lets the reader see `columns` of every workspace's rows."""
    return [
        f"create policy reader on access.{table} for select to {READER} using (true)",
        f"grant select ({columns}) on access.{table} to {READER}",
    ]
