"""The journey's tables: facts (accepted, touchpoints, identifiers, pairs, aliases) and what is derived from them."""

from alembic import op

from jornada.db.schema import isolated, roles, seen_by_clock, worker_tables_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_PARTITIONS = 8
_TABLES = [
    """create table journey.accepted (
        workspace uuid, source text, message_id text, payload_hash text not null, occurred_at timestamptz not null,
        primary key (workspace, source, message_id)) partition by hash (workspace, source, message_id)""",
    *(
        f"create table journey.accepted_{n} partition of journey.accepted"
        f" for values with (modulus {_PARTITIONS}, remainder {n})"
        for n in range(_PARTITIONS)
    ),
    """create table journey.touchpoints (
        workspace uuid, owner uuid, occurred_at timestamptz,
        message_id text collate "C", source text collate "C",
        kind text not null, device text, user_id text, record bytea not null,
        primary key (workspace, owner, occurred_at, message_id, source))""",
    """create index touchpoints_device on journey.touchpoints (workspace, device, occurred_at, message_id)
        where device is not null""",
    """create table journey.identifiers (
        workspace uuid, type text, value text, id uuid not null, stored bigint generated always as identity,
        stated boolean not null, customer uuid, sharing text not null default 'one',
        primary key (workspace, type, value), unique (workspace, id))""",
    "create index identifiers_customer on journey.identifiers (workspace, customer)",
    """create table journey.device_users (
        workspace uuid, anonymous_id text, user_id text, primary key (workspace, anonymous_id, user_id))""",
    "create index device_users_user on journey.device_users (workspace, user_id, anonymous_id)",
    """create table journey.aliases (
        workspace uuid, previous_id text, user_id text, occurred_at timestamptz,
        message_id text collate "C", source text,
        primary key (workspace, previous_id, user_id, occurred_at, message_id, source))""",
    "create index aliases_user on journey.aliases (workspace, user_id, previous_id)",
    """create view journey.device_facts with (security_invoker = true) as
        select workspace, device as anonymous_id, user_id, occurred_at, message_id from journey.touchpoints
        where device is not null and user_id is not null
        union all
        select workspace, previous_id, user_id, occurred_at, message_id from journey.aliases""",
    """create table journey.subjects (
        workspace uuid, id uuid, type text not null, merged_into uuid, state bytea not null, snapshot bytea,
        version bigint not null, fold int not null, sessions int not null, stage text, name text, account uuid,
        primary key (workspace, id)) with (fillfactor = 75)""",
    """create index subjects_stage on journey.subjects (workspace, type, stage, id)
        where merged_into is null and snapshot is not null""",
    """create table journey.sessions (
        workspace uuid, subject uuid, started_at timestamptz, message_id text not null, source text not null,
        ended_at timestamptz not null, touchpoints int not null, primary key (workspace, subject, started_at))""",
    """create table journey.account_shares (
        workspace uuid, account uuid, customer uuid, share bytea not null,
        primary key (workspace, account, customer))""",
    "create index account_shares_customer on journey.account_shares (workspace, customer, account)",
    """create table journey.refolds (
        workspace uuid, subject uuid, sequence bigint generated always as identity,
        primary key (workspace, subject, sequence))""",
    "create table journey.workspaces (workspace uuid primary key, rules text not null)",
]
_ISOLATED = (
    "accepted",
    "touchpoints",
    "identifiers",
    "device_users",
    "aliases",
    "subjects",
    "sessions",
    "account_shares",
    "refolds",
    "workspaces",
)


def upgrade() -> None:
    statements = [*roles("journey"), *worker_tables_v1("journey"), *_TABLES]
    statements.append("grant select on journey.device_facts to jornada_journey")
    for table in _ISOLATED:
        statements += isolated("journey", table)
    statements += seen_by_clock("journey", "refolds", "workspace, subject, sequence")
    for statement in statements:
        op.execute(statement)
