"""E-mails (who states which since when, and each time a device does), operators' merges, undos, refused links; of each
device and user, since when.

Only additions. A pair that the release before stores has no instant: it is looked up where it is read. E-mails stated
earlier are read from the touchpoints an hour later, when no process of the release before runs that would store more.
"""

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = [
    """create table journey.email_pairs (
        workspace uuid, email text, type text, value text, occurred_at timestamptz not null,
        message_id text collate "C" not null, source text collate "C" not null,
        primary key (workspace, email, type, value))""",
    """create index email_pairs_by on journey.email_pairs
        (workspace, type, value, occurred_at, message_id, source)""",
    """create index email_pairs_of on journey.email_pairs
        (workspace, email, type, occurred_at, message_id, source)""",
    """create table journey.email_facts (
        workspace uuid, anonymous_id text, email text, occurred_at timestamptz,
        message_id text collate "C", source text collate "C",
        primary key (workspace, anonymous_id, email, occurred_at, message_id, source))""",
    """create table journey.merges (
        workspace uuid, id uuid, from_type text not null, from_value text not null,
        into_type text not null, into_value text not null,
        merged_at timestamptz not null, merged_by uuid not null, primary key (workspace, id))""",
    "create index merges_from on journey.merges (workspace, from_type, from_value)",
    "create index merges_into on journey.merges (workspace, into_type, into_value)",
    """create table journey.undos (
        workspace uuid, fact text, undone_at timestamptz not null, undone_by uuid not null,
        primary key (workspace, fact))""",
    """create table journey.refusals (
        workspace uuid, type text, value text, to_type text, to_value text, why text not null,
        occurred_at timestamptz not null, message_id text not null, source text not null,
        primary key (workspace, type, value, to_type, to_value))""",
    """create table journey.earlier_emails (
        workspace uuid, by_device boolean, due_at timestamptz not null, owner uuid, device text,
        occurred_at timestamptz, message_id text, source text, primary key (workspace, by_device))""",
    """alter table journey.device_users add column occurred_at timestamptz,
        add column message_id text collate "C", add column source text collate "C" """,
    """create or replace view journey.device_facts with (security_invoker = true) as
        select workspace, device as anonymous_id, user_id, occurred_at, message_id, source from journey.touchpoints
        where device is not null and user_id is not null
        union all
        select workspace, previous_id, user_id, occurred_at, message_id, source collate "C" from journey.aliases
        where not exists (select from journey.undos where undos.workspace = aliases.workspace
                          and fact = 'alias:' || source || ':' || message_id)""",
]
_EARLIER = [
    *seen_by_clock("journey", "earlier_emails", "workspace, by_device, due_at"),
    "alter table journey.identifiers no force row level security",
    "alter table journey.earlier_emails no force row level security",
    """insert into journey.earlier_emails (workspace, by_device, due_at)
        with recursive step as (
            select (select workspace from journey.identifiers order by workspace limit 1) as workspace
            union all
            select (select workspace from journey.identifiers where workspace > step.workspace
                    order by workspace limit 1) from step where workspace is not null)
        select workspace, by_device, now() + interval '1 hour' from step, (values (false), (true)) as pass (by_device)
        where workspace is not null""",
    "alter table journey.identifiers force row level security",
    "alter table journey.earlier_emails force row level security",
]
"""Every workspace there is, whoever migrates: the owner of a table is under its policies only where they are forced."""

_INDEXES = {
    "aliases_message": "journey.aliases (workspace, source, message_id)",
    "device_users_since": """journey.device_users
        (workspace, user_id, occurred_at nulls first, message_id nulls first, source nulls first)""",
}
_ISOLATED = ("email_pairs", "email_facts", "merges", "undos", "refusals", "earlier_emails")


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    for table in _ISOLATED:
        for statement in isolated("journey", table):
            op.execute(statement)
    for statement in _EARLIER:
        op.execute(statement)
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            op.execute(f"drop index concurrently if exists journey.{name}")
            op.execute(f"create index concurrently {name} on {columns}")
