"""The embedded log: counters, records, the positions of groups, and who owns it all."""

from alembic import op

from jornada.db.schema import roles

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in roles("bus"):
        op.execute(statement)
    op.execute("create table bus.owner (one boolean primary key default true check (one), epoch bigint not null)")
    op.execute("insert into bus.owner (epoch) values (0)")
    op.execute("""create table bus.partitions (
        topic text, partition int, beginning bigint not null default 0, next bigint not null default 0,
        primary key (topic, partition)) with (fillfactor = 50)""")
    op.execute("""create table bus.records (
        topic text, partition int, "offset" bigint, key bytea not null, value bytea not null, headers bytea,
        appended_at timestamptz not null, primary key (topic, partition, "offset"))""")
    op.execute("""create table bus.positions (
        "group" text, topic text, partition int, next bigint not null,
        primary key ("group", topic, partition)) with (fillfactor = 50)""")
    op.execute("""grant select, insert, update, delete on bus.owner, bus.partitions, bus.records, bus.positions
        to jornada_bus""")
