"""Workspaces, their sources, and the hashes of what lets in."""

from alembic import op

from jornada.access.policies import own_rows, reader, roles

revision = "0001"
down_revision = None

_HASHED = """
    sha256 bytea not null unique check (length(sha256) = 32), hint text not null,
    created_at timestamptz not null default clock_timestamp(), revoked_at timestamptz"""


def upgrade() -> None:
    for statement in roles():
        op.execute(statement)
    op.execute("""create table access.workspaces (
        id uuid primary key, name text not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
        created_at timestamptz not null default clock_timestamp())""")
    op.execute("""create table access.sources (
        workspace uuid references access.workspaces, name text check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
        role text not null check (role in ('product', 'billing', 'support', 'messaging', 'import')),
        created_at timestamptz not null default clock_timestamp(), removed_at timestamptz,
        primary key (workspace, name), check (name <> 'jornada'))""")
    op.execute(f"""create table access.write_keys (
        id uuid primary key, workspace uuid not null, source text not null,{_HASHED},
        foreign key (workspace, source) references access.sources)""")
    op.execute("create index write_keys_source on access.write_keys (workspace, source, id)")
    op.execute(f"""create table access.api_tokens (
        id uuid primary key, workspace uuid not null references access.workspaces, name text not null,{_HASHED},
        scopes text[] not null check (
            cardinality(scopes) > 0 and scopes <@ array['read', 'write', 'admin', 'payloads']))""")
    op.execute("create index api_tokens_workspace on access.api_tokens (workspace, id)")
    for statement in [
        *own_rows("workspaces", "id"),
        *own_rows("sources", "workspace"),
        *own_rows("write_keys", "workspace"),
        *own_rows("api_tokens", "workspace"),
        *reader("workspaces", "id, name, created_at"),
        *reader("sources", "workspace, name, role, removed_at"),
        *reader("write_keys", "id, workspace, source, sha256, revoked_at"),
        *reader("api_tokens", "id, workspace, sha256, scopes, revoked_at"),
    ]:
        op.execute(statement)
