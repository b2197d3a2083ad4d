"""What is known of subjects, the alerts and their deliveries, the campaigns, their decisions and messages."""

from alembic import op

from jornada.db.schema import isolated, roles, seen_by_clock, worker_tables_v1

revision = "0001"
down_revision = None

_TABLES = {
    "journeys": """
        workspace uuid, subject uuid, version bigint not null, subject_type text not null, merged_into uuid,
        erased boolean not null default false, customer bytea, primary key (workspace, subject)""",
    "identifiers": """
        workspace uuid, type text, value text, subject uuid, primary key (workspace, type, value, subject)""",
    "scores": """
        workspace uuid, subject uuid, version bigint not null, merged_into uuid, journey_version bigint, band text,
        primary key (workspace, subject)""",
    "alert_counters": "workspace uuid primary key, last bigint not null",
    "alerts": """
        workspace uuid, id uuid, sequence bigint not null, subject uuid not null, stale boolean not null,
        body bytea not null, created_at timestamptz not null,
        primary key (workspace, id), unique (workspace, sequence)""",
    "alert_subscriptions": """
        workspace uuid, id uuid, name text not null, "when" jsonb not null, "to" jsonb not null, secret bytea not null,
        created_at timestamptz not null, failing_since timestamptz, disabled_at timestamptz, disabled_because text,
        primary key (workspace, id)""",
    "deliveries": """
        workspace uuid, id uuid, alert uuid, subscription uuid not null, body bytea not null,
        created_at timestamptz not null, status text not null
            check (status in ('pending', 'delivered', 'failed', 'skipped', 'cancelled')),
        attempt int not null default 0, due_at timestamptz not null, reason text,
        primary key (workspace, id),
        foreign key (workspace, subscription) references notify.alert_subscriptions on delete cascade""",
    "attempts": """
        workspace uuid, delivery uuid, attempt int, at timestamptz not null, milliseconds int not null, status int,
        error text, answer bytea, primary key (workspace, delivery, attempt),
        foreign key (workspace, delivery) references notify.deliveries on delete cascade""",
    "campaigns": """
        workspace uuid, name text, document bytea not null, status text not null
            check (status in ('draft', 'running', 'paused', 'stopped')),
        changed_at timestamptz not null, started_at timestamptz, primary key (workspace, name)""",
    "decisions": """
        workspace uuid, id uuid, subject uuid not null, campaign text not null, crossing uuid not null,
        "to" text not null, because bytea not null,
        state text not null check (state in ('waiting', 'held', 'claimed', 'sent', 'failed', 'unknown', 'suppressed')),
        outcome text check (outcome in ('send', 'hold', 'suppress')), reason text, created_at timestamptz not null,
        at timestamptz, due_at timestamptz not null, claimed_at timestamptz, attempts int not null default 0,
        primary key (workspace, id)""",
    "messages": """
        workspace uuid, id uuid, subject uuid not null, campaign text not null, channel text not null,
        address text not null, language text not null, subject_line text not null, text text not null, html text,
        created_at timestamptz not null, primary key (workspace, id),
        foreign key (workspace, id) references notify.decisions on delete cascade""",
    "suppressions": """
        workspace uuid, channel text, address text, reason text not null, since timestamptz not null,
        primary key (workspace, channel, address)""",
}

_INDEXES = (
    "journeys (workspace, merged_into) where merged_into is not null",
    "identifiers (workspace, subject)",
    "alerts (workspace, subject, sequence)",
    "deliveries (due_at) where status = 'pending'",
    "deliveries (workspace, subscription, id)",
    "decisions (due_at) where state in ('waiting', 'held')",
    "decisions (claimed_at) where state = 'claimed'",
    "decisions (workspace, subject, id)",
    "messages (workspace, subject, id)",
)

_SEEN = {
    "alert_counters": "workspace, last",
    "deliveries": "workspace, id, subscription, status, attempt, due_at, created_at",
    "decisions": "workspace, id, state, due_at, claimed_at",
}


def upgrade() -> None:
    statements = [*roles("notify"), *worker_tables_v1("notify")]
    for table, columns in _TABLES.items():
        statements += [f"create table notify.{table} ({columns})", *isolated("notify", table)]
    statements += [f"create index on notify.{index}" for index in _INDEXES]
    for table, columns in _SEEN.items():
        statements += seen_by_clock("notify", table, columns)
    for statement in statements:
        op.execute(statement)
