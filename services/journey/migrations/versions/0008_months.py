"""Touchpoints by month of `occurred_at`; what was stored before stays where it is, as the partition of all older ones.

A release before this one reads and writes on through the same name. Nothing is copied: the check that lets the table
become a partition is validated beside its readers and writers, and only the swap of the names locks them out, briefly.
"""

from datetime import datetime

from alembic import op

from jornada.db.schema import isolated, seen_by_clock

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FLOOR = """select date_trunc('month', now(), 'UTC')
    + case when pg_relation_size('journey.touchpoints') = 0 then interval '-36 months' else interval '2 months' end"""
"""From where on months are kept apart: behind all that is stored, or where nothing is, for an import of three years."""

_CEILING = "2100-01-01 00:00:00+00"

_TABLE = """create table journey.touchpoints (
    workspace uuid, owner uuid, occurred_at timestamptz,
    message_id text collate "C", source text collate "C",
    kind text, device text, user_id text, record bytea not null,
    primary key (workspace, owner, occurred_at, message_id, source)) partition by range (occurred_at)"""

_INDEX = """create index touchpoints_device on journey.touchpoints (workspace, device, occurred_at, message_id)
    where device is not null"""

_FACTS = """create or replace view journey.device_facts with (security_invoker = true) as
    select workspace, device as anonymous_id, user_id, occurred_at, message_id, source from journey.touchpoints
    where device is not null and user_id is not null
    union all
    select workspace, previous_id, user_id, occurred_at, message_id, source collate "C" from journey.aliases
    where not exists (select from journey.undos where undos.workspace = aliases.workspace
                      and fact = 'alias:' || source || ':' || message_id)"""

_COVER = """create function journey.cover_touchpoints(instants timestamptz[]) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    month timestamp;
    name text;
begin
    for month in
        select distinct date_trunc('month', given at time zone 'UTC') from unnest(instants) as given
        where given >= '{floor}' and given < '{ceiling}' order by 1
    loop
        name := 'touchpoints_' || to_char(month, 'YYYY_MM');
        continue when to_regclass('journey.' || name) is not null;
        lock table journey.touchpoints in share update exclusive mode;
        continue when to_regclass('journey.' || name) is not null;
        execute format('create table journey.%I (like journey.touchpoints including defaults)', name);
        execute format('alter table journey.%I enable row level security, force row level security', name);
        execute format('alter table journey.touchpoints attach partition journey.%I for values from (%L) to (%L)',
                       name, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
    end loop;
end $$"""
"""Attaching a table that was made apart stops no reader and no writer; `create table … partition of` would."""

_DROP = """create function journey.drop_touchpoints(month timestamptz) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    name text := 'touchpoints_' || to_char(month at time zone 'UTC', 'YYYY_MM');
    holds boolean;
begin
    if month > now() - interval '92 days' then
        return false;
    end if;
    lock table journey.touchpoints in access exclusive mode;
    if to_regclass('journey.' || name) is null then
        return false;
    end if;
    execute format('alter table journey.%I no force row level security', name);
    execute format('select exists (select from journey.%I)', name) into holds;
    if holds then
        execute format('alter table journey.%I force row level security', name);
        return false;
    end if;
    execute format('drop table journey.%I', name);
    return true;
end $$"""
"""Whether an empty month was dropped; none of the last three is.

What looks whether it is empty must see the rows of every workspace, and a policy shows their owner none.
"""


def upgrade() -> None:
    floor: datetime = op.get_bind().exec_driver_sql(_FLOOR).scalar_one()
    with op.get_context().autocommit_block():
        op.execute("alter table journey.touchpoints drop constraint if exists touchpoints_older")
        older = f"constraint touchpoints_older check (occurred_at < '{floor}')"
        op.execute(f"alter table journey.touchpoints add {older} not valid")
        op.execute("alter table journey.touchpoints validate constraint touchpoints_older")
    for statement in [*_swapped(floor), *_kept(floor), *_partitions_closed()]:
        op.execute(statement)


def _swapped(floor: datetime) -> list[str]:
    return [
        "alter table journey.touchpoints rename to touchpoints_earlier",
        "alter index journey.touchpoints_pkey rename to touchpoints_earlier_pkey",
        "alter index journey.touchpoints_device rename to touchpoints_earlier_device",
        _TABLE,
        _INDEX,
        f"""alter table journey.touchpoints attach partition journey.touchpoints_earlier
            for values from (minvalue) to ('{floor}')""",
        "alter table journey.touchpoints_earlier drop constraint touchpoints_older",
        f"""create table journey.touchpoints_later partition of journey.touchpoints
            for values from ('{_CEILING}') to (maxvalue)""",
        *isolated("journey", "touchpoints"),
        *seen_by_clock("journey", "touchpoints", "workspace, occurred_at"),
        "drop policy workspaces on journey.touchpoints_earlier",
        "revoke all on journey.touchpoints_earlier from jornada_journey",
        _FACTS,
    ]


def _kept(floor: datetime) -> list[str]:
    functions = ("journey.cover_touchpoints(timestamptz[])", "journey.drop_touchpoints(timestamptz)")
    return [
        _COVER.format(floor=floor, ceiling=_CEILING),
        _DROP,
        *(f"revoke execute on function {each} from public" for each in functions),
        *(f"grant execute on function {each} to jornada_journey" for each in functions),
        """select journey.cover_touchpoints(array_agg(date_trunc('month', now(), 'UTC') + days * interval '1 day'))
            from unnest(array[0, 31, 62]) as days""",
    ]


def _partitions_closed() -> list[str]:
    """Nobody has a right to a partition; if anybody ever had one, no policy would show them a row."""
    names = [*(f"accepted_{n}" for n in range(8)), "touchpoints_earlier", "touchpoints_later"]
    return [f"alter table journey.{name} enable row level security, force row level security" for name in names]
