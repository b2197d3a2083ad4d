"""The registry of churn models, and which model made a published score. A release before ignores both."""

from alembic import op

from jornada.db.schema import isolated

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("""create table scoring.models (
        workspace uuid, id uuid, level int not null, name text not null, parameters jsonb not null,
        schema text not null, trained_from timestamptz, trained_until timestamptz, data_hash text not null,
        metrics jsonb not null, calibrator jsonb,
        status text not null check (status in ('shadow', 'champion', 'retired')),
        status_since timestamptz not null, created_at timestamptz not null, primary key (workspace, id))""")
    op.execute("""create unique index models_champion on scoring.models (workspace) where status = 'champion'""")
    for statement in isolated("scoring", "models"):
        op.execute(statement)
    op.execute("alter table scoring.history add column model text not null default 'level-1'")
