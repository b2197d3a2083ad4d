"""Looks through every table for words that must not be there."""

from collections.abc import Collection
from uuid import UUID

import asyncpg


async def holding(
    url: str, words: Collection[str], schemas: Collection[str], workspace: UUID | None = None
) -> set[tuple[str, str]]:
    """The tables of the schemas that hold any of the words, in whatever column, each with the word; as a superuser.

    Of a workspace, if one is named, else of all.
    """
    connection = await asyncpg.connect(url)
    try:
        found = set()
        for table, columns in (await _tables(connection, schemas)).items():
            theirs = f"workspace = '{workspace}' and" if workspace and ("workspace", "uuid") in columns else ""
            for word in words:
                query = f"select exists (select from {table} where {theirs} ({_holds(columns)}))"
                if await connection.fetchval(query, word):
                    found.add((table, word))
        return found
    finally:
        await connection.close()


async def _tables(
    connection: "asyncpg.Connection[asyncpg.Record]", schemas: Collection[str]
) -> dict[str, list[tuple[str, str]]]:
    rows = await connection.fetch(
        """select format('%I.%I', table_schema, table_name) as name, column_name, data_type
           from information_schema.columns join information_schema.tables using (table_schema, table_name)
           where table_schema = any($1) and table_type = 'BASE TABLE'""",
        list(schemas),
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append((row["column_name"], row["data_type"]))
    return found


def _holds(columns: list[tuple[str, str]]) -> str:
    return " or ".join(
        f"""position(convert_to($1::text, 'UTF8') in "{name}") > 0"""
        if type_ == "bytea"
        else f"""strpos("{name}"::text, $1::text) > 0"""
        for name, type_ in columns
    )
