"""What may never be in the code base or in the database, looked for where it would be."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(path for folder in ("shared/jornada", "services") for path in (ROOT / folder).rglob("*.py"))

COMMIT = re.compile(r"""\.commit\(\)|\.rollback\(\)|["']\s*commit\s*;?\s*["']""", re.IGNORECASE)
MAY_COMMIT = {"shared/jornada/db/database.py", "shared/jornada/db/migrations.py", "shared/jornada/db/alembic/env.py"}


def offenders(pattern: re.Pattern[str], allowed: set[str]) -> list[str]:
    names = ((path, str(path.relative_to(ROOT))) for path in CODE)
    return [name for path, name in names if name not in allowed and pattern.search(path.read_text())]


def test_nothing_commits_outside_the_database() -> None:
    assert offenders(COMMIT, MAY_COMMIT) == []


def test_the_search_for_commits_finds_one() -> None:
    assert COMMIT.search("await connection.commit()")
    assert COMMIT.search('await connection.execute("COMMIT")')


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert offenders(marks, set()) == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in CODE
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def logged_keywords() -> Iterator[tuple[str, str]]:
    """Every keyword of every call of a logger: what an event of the log may hold."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id in ("_log", "log"):
                for keyword in node.keywords:
                    yield str(path.relative_to(ROOT)), str(keyword.arg)


def test_no_log_line_names_a_person_a_payload_or_a_key() -> None:
    personal = {"payload", "body", "value", "email", "address", "user_id", "anonymous_id", "identifier", "key", "token"}
    assert [(path, name) for path, name in logged_keywords() if name in personal] == []


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(postgres_url)
    rows: list[asyncpg.Record] = await connection.fetch(
        """select n.nspname as schema, c.relname as name, c.relrowsecurity, c.relforcerowsecurity,
                  exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace') as owned,
                  (select count(*) from pg_policy p where p.polrelid = c.oid) as policies,
                  exists (select from pg_inherits i where i.inhrelid = c.oid) as partition
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and n.nspname in ('access', 'ingest', 'journey', 'scoring', 'notify')"""
    )
    await connection.close()
    return rows


async def test_every_table_of_workspaces_rows_forces_row_level_security(tables: list[asyncpg.Record]) -> None:
    open_ = [
        f"{row['schema']}.{row['name']}"
        for row in tables
        if row["owned"]
        if not (row["relrowsecurity"] and row["relforcerowsecurity"] and (row["policies"] or row["partition"]))
    ]
    assert open_ == []
    assert sum(row["owned"] for row in tables) > 10


async def test_no_service_may_read_a_partition_around_its_tables_policy(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    rows = await connection.fetch(
        """select c.relname, r.rolname from pg_class c join pg_inherits i on i.inhrelid = c.oid, pg_roles r
           where r.rolname like 'jornada%' and has_table_privilege(r.oid, c.oid, 'select') and not r.rolsuper"""
    )
    await connection.close()
    assert [tuple(row) for row in rows] == []


async def test_every_index_of_workspaces_rows_leads_with_the_workspace(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    rows = await connection.fetch(
        """select n.nspname || '.' || t.relname as table, i.relname as index, a.attname as first
           from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
           join pg_namespace n on n.oid = t.relnamespace
           left join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0]
           where n.nspname in ('ingest', 'journey', 'scoring', 'notify') and t.relkind in ('r', 'p')
             and not exists (select from pg_inherits h where h.inhrelid = t.oid)
             and exists (select from pg_attribute w where w.attrelid = t.oid and w.attname = 'workspace')"""
    )
    await connection.close()
    across = {"dead_letters_pkey", "dead_letters_carrier_topic_partition_offset_key"}
    clocks = {"due_at", "claimed_at", "since", "past_at"}  # what the clock's role looks up over all workspaces
    strays = [tuple(row) for row in rows if row["first"] not in {"workspace", *clocks} and row["index"] not in across]
    assert strays == []
