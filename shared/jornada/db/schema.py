"""DDL that every service's schema shares. Migrations call these; a change is a new function, never an edit."""

WORKSPACES = (
    "workspace = any((select string_to_array(nullif(current_setting('jornada.workspaces', true), ''), ',')::uuid[])"
    "::uuid[])"
)
"""True for rows of the transaction's workspaces; as a sub-select Postgres works it out once, not once a row."""


def roles(service: str) -> list[str]:
    """The service's role, and the clock's, which sees across workspaces what is due and nothing else."""
    return named_roles(service, f"jornada_{service}", f"jornada_{service}_clock")


def named_roles(schema: str, *names: str) -> list[str]:
    """Roles that own nothing, that the migrating login may become, and that may look into the schema.

    Where an administrator made the roles, being a member is enough and granting them is not ours to do.
    """
    listed = ", ".join(names)
    member = " and ".join(f"pg_has_role('{name}', 'member')" for name in names)
    return [
        f"""do $$ begin
            create role {name} nologin;
        exception when duplicate_object or unique_violation then null; end $$"""
        for name in names
    ] + [
        f"""do $$ begin
            grant {listed} to current_user;
        exception when insufficient_privilege then
            if not ({member}) then raise; end if;
        end $$""",
        f"grant usage on schema {schema} to {listed}",
    ]


def isolated(service: str, table: str) -> list[str]:
    """Row-level security, forced, for a table whose rows belong to workspaces; the service may read and write its own."""
    return [
        f"alter table {service}.{table} enable row level security",
        f"alter table {service}.{table} force row level security",
        f"create policy workspaces on {service}.{table} to jornada_{service} using ({WORKSPACES})",
        f"grant select, insert, update, delete on {service}.{table} to jornada_{service}",
    ]


def seen_by_clock(service: str, table: str, columns: str) -> list[str]:
    """Lets the clock's role read `columns` over all workspaces."""
    return [
        f"create policy clock on {service}.{table} for select to jornada_{service}_clock using (true)",
        f"grant select ({columns}) on {service}.{table} to jornada_{service}_clock",
    ]


def worker_tables_v1(service: str) -> list[str]:
    """What a stream worker keeps beside its state: offsets, epoch, versions, unpublished, outbox, timers, dead letters."""
    own = f"jornada_{service}"
    return [
        f"create sequence {service}.versions as bigint",
        f"grant usage, select on sequence {service}.versions to {own}",
        f"create table {service}.epoch (one boolean primary key default true check (one), value bigint not null)",
        f"insert into {service}.epoch (value) values (0)",
        f"""create table {service}.offsets (
            carrier text, topic text, partition int, next bigint not null, primary key (carrier, topic, partition))""",
        f"grant select, insert, update, delete on {service}.epoch, {service}.offsets to {own}",
        f"""create table {service}.unpublished (
            workspace uuid, subject uuid, version bigint not null, since timestamptz not null default clock_timestamp(),
            primary key (workspace, subject))""",
        f"""create table {service}.outbox (
            workspace uuid, id uuid, topic text not null, key bytea not null, value bytea not null,
            since timestamptz not null default clock_timestamp(), sequence bigint generated always as identity,
            primary key (workspace, id))""",
        f"""create table {service}.timers (
            workspace uuid, subject uuid, name text, due_at timestamptz not null,
            primary key (workspace, subject, name)) with (fillfactor = 80)""",
        f"create index timers_due on {service}.timers (due_at)",
        f"""create table {service}.dead_letters (
            id uuid primary key, workspace uuid,
            carrier text not null, topic text not null, partition int not null, "offset" bigint not null,
            key bytea not null, value bytea not null, headers jsonb not null, reason text not null, error text not null,
            since timestamptz not null default clock_timestamp(), replayed_at timestamptz,
            unique (carrier, topic, partition, "offset"))""",
        f"create index dead_letters_workspace on {service}.dead_letters (workspace, since)",
        *isolated(service, "unpublished"),
        *isolated(service, "outbox"),
        *isolated(service, "timers"),
        *isolated(service, "dead_letters"),
        *seen_by_clock(service, "unpublished", "workspace, subject, version, since"),
        *seen_by_clock(service, "outbox", "workspace, id, since"),
        *seen_by_clock(service, "timers", "workspace, subject, name, due_at"),
        *seen_by_clock(service, "dead_letters", "id, workspace, since, replayed_at"),
    ]
