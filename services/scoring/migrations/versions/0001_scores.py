"""Subjects with their journeys and scores, what was published, and the facts that no rebuild changes.

`subjects`, `identifiers` and `history` can be made again from the journeys; `recorded_bands`, `crossings` and
`connected` cannot: they are what was.
"""

from alembic import op

from jornada.db.schema import isolated, roles, worker_tables_v1

revision = "0001"
down_revision = None

_TABLES = {
    "subjects": """
        workspace uuid, id uuid, type text not null, journey_version bigint not null, version bigint not null,
        journey bytea, score bytea, merged_into uuid, as_of timestamptz, band text, health double precision,
        risk double precision, mrr numeric, currency text, revenue_at_risk double precision not null default 0,
        stage text, account uuid, band_since timestamptz, red_since timestamptz, primary key (workspace, id)""",
    "identifiers": """
        workspace uuid, type text, value text, subject uuid, primary key (workspace, type, value, subject)""",
    "history": """
        workspace uuid, subject uuid, version bigint, at timestamptz not null, journey_version bigint not null,
        profile text not null, band text not null, health double precision, risk double precision,
        reasons bytea not null, primary key (workspace, subject, version)""",
    "recorded_bands": """
        workspace uuid, subject uuid, score text, band text not null, ordinal int not null, came_from text not null,
        since timestamptz not null, announced boolean not null, announce_at timestamptz, live_at timestamptz,
        history_at timestamptz, journey_version bigint not null, primary key (workspace, subject, score)""",
    "crossings": """
        workspace uuid, id uuid, subject uuid not null, score text not null, ordinal int not null,
        from_band text not null, to_band text not null, at timestamptz not null, recorded_at timestamptz not null,
        announced_at timestamptz, crossing bytea not null, primary key (workspace, id),
        unique (workspace, subject, score, ordinal)""",
    "connected": "workspace uuid, component text, since timestamptz not null, primary key (workspace, component)",
}


def upgrade() -> None:
    for statement in [*roles("scoring"), *worker_tables_v1("scoring")]:
        op.execute(statement)
    for table, columns in _TABLES.items():
        op.execute(f"create table scoring.{table} ({columns})")
        for statement in isolated("scoring", table):
            op.execute(statement)
    op.execute("create index identifiers_subject on scoring.identifiers (workspace, subject)")
    op.execute("""create index subjects_at_risk on scoring.subjects (workspace, revenue_at_risk desc, id)
        where band is not null""")
    op.execute("create index subjects_band on scoring.subjects (workspace, band, type) where band is not null")
